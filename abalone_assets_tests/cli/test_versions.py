"""`abalone versions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.cli.versions import LISTED
from abalone_assets.lake import kept_inputs
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.provenance import provenance_of
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.cli.support import abalone, abalone_json
from abalone_assets_tests.provenance.support import Little
from abalone_assets_tests.serving.support import register

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def registry(home: Path) -> FolderRegistry:
    return FolderRegistry(ObjectStore(home / "registry"))


def test_without_versions_it_says_how_to_get_one(home: Path) -> None:
    assert "`abalone dev`" in abalone("versions").output
    assert abalone_json("versions") == {"endpoint": "abalone", "live": None, "versions": []}


def test_the_newest_come_first_with_what_is_live_and_whose_word_holds(
    registry: FolderRegistry,
) -> None:
    for archive in (b"one", b"two"):
        register(registry, archive)
    registry.reject(2, because="[b]bad", by="ana")
    publish_pointer(registry.store, "abalone", 1)
    document = abalone_json("versions")
    assert document["live"] == 1
    shown = [(each["version"], each["live"], each["status"]) for each in document["versions"]]
    assert shown == [(2, False, "rejected by ana"), (1, True, "approved by the gate")]
    output = abalone("versions").output
    assert "1 live" in output
    assert "[b]bad" in output  # no markup
    assert "2.100" in output


def test_the_table_has_a_line_of_the_decision_and_json_the_whole_sentence(
    registry: FolderRegistry,
) -> None:
    sentence = "Approved: " + "on 4,177 rows that neither model had learnt from, " * 5
    decision = {"approved": True, "reason": sentence, "rule": "first_model"}
    evaluation = {"rmse": 2.1, "rows": 209}
    registry.register(b"one", evaluation=evaluation, decision=decision, release_digest="r")
    shown = abalone("versions").output
    assert "Approved: held against no other" in shown
    assert "neither model" not in shown
    (told,) = abalone_json("versions")["versions"]
    assert told["reason"] == sentence
    assert told["in_short"].startswith("Approved: held against no other,")


def test_the_older_ones_are_shown_when_asked_for(registry: FolderRegistry) -> None:
    for number in range(LISTED + 2):
        register(registry, b"%d" % number)
    assert len(abalone_json("versions")["versions"]) == LISTED
    assert "Older ones: `abalone versions --all`, from version 2." in abalone("versions").output
    assert len(abalone_json("versions", "--all")["versions"]) == LISTED + 2


class TestOfOneVersion:
    @pytest.fixture
    def little(self, home: Path) -> Little:
        """Version 1 of two survey days, version 2 of one of them rewritten."""
        little = Little(home)
        little.base()
        little.ingest("2025-03-14", 1)
        little.ingest("2025-04-02", 2)
        little.release()
        little.ingest("2025-03-14", 3)
        little.release()
        return little

    def test_it_says_which_data_code_and_settings_made_it(self, little: Little) -> None:
        known = provenance_of(little.registry.get(1))
        assert known is not None
        output = " ".join(abalone("versions", "1").stdout.split())
        assert str(known.code) in output
        assert "num_boost_round 3" in output
        assert "Dagster run r " in output
        assert f"numpy {known.libraries['numpy']}" in output
        assert known.inputs is not None
        assert known.inputs.raw is not None
        assert f"abalone.data, SHA-256 {known.inputs.raw.digest}" in output
        assert "`abalone reproduce 1` makes it again" in output

    def test_its_files_are_those_of_then(self, little: Little) -> None:
        first, second = (abalone_json("versions", number)["files"] for number in "12")
        assert [each["day"] for each in first] == ["2025-03-14", "2025-04-02"]
        assert [each["rows"] for each in first] == [20, 20]
        assert first[0]["sha256"] != second[0]["sha256"]
        assert first[1] == second[1]
        assert first[0]["sha256"][:12] in abalone("versions", "1").stdout
        assert first[0]["sha256"][:12] not in abalone("versions", "2").stdout

    def test_what_is_gone_is_told_and_the_rest_is_there(self, little: Little, home: Path) -> None:
        for document in (home / "lake/_kept/days").iterdir():
            document.unlink()
        kept_inputs._month_at.cache_clear()
        told = abalone_json("versions", "1")
        assert (told["files"], "no such object" in told["unknown"]) == ([], True)
        assert "Not known" in abalone("versions", "1").stdout
        assert told["code"]

    def test_one_of_before_says_that_it_was_not_recorded(self, registry: FolderRegistry) -> None:
        register(registry, b"one")
        output = abalone("versions", "1").stdout
        assert "registered before they were recorded" in output
        assert "Code" not in output
        assert "RMSE" in output

    def test_one_that_is_not_there_is_an_error(self, home: Path) -> None:
        result = abalone("versions", "7")
        assert (result.exit_code, "version 7" in result.stderr) == (1, True)


@pytest.mark.parametrize("number", ["x", "0", "1.5", "latest"])
@pytest.mark.parametrize(
    "command",
    [("reproduce",), ("versions",), ("diff", "1"), ("approve", "--because", "x")],
    ids=" ".join,
)
def test_what_is_no_versions_number_is_told_where_the_numbers_are(
    home: Path, command: tuple[str, ...], number: str
) -> None:
    result = abalone(*command, number)
    assert result.exit_code == 2
    told = " ".join(result.stderr.split())
    assert f"'{number}' is no version's number; `abalone versions` lists them" in told
