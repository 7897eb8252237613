"""What differs from one version to another: files, rows, code, settings, libraries, scores."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from abalone_assets.cli import main
from abalone_assets.lake.kept_inputs import _month_at as documents
from abalone_assets.lake.manifest_store import commit_raw
from abalone_assets.provenance.differences import difference
from abalone_assets.registry.code_version import code_version
from abalone_assets.survey.origin import EXAMPLE
from abalone_assets_tests.provenance.support import DAY, NEXT, Little
from abalone_assets_tests.registry.support import archive

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def little(home: Path) -> Little:
    """Two versions: one file stays, one goes, one changes, two come, and a base survey changes."""
    little = Little(home)
    little.base()
    little.ingest(DAY, 1, 2, 3)
    little.release("xgboost", {"eta": 0.1})
    little.ingest(DAY, 1, 5)
    little.ingest(NEXT, 6, 7)
    little.base(320, seed=91)
    code = replace(code_version(), sha256="0" * 64)
    untrue = {"code": code, "libraries": {"numpy": "1.0"}}
    little.release("xgboost", {"eta": 0.3, "seed": 4}, untrue)
    return little


def files(little: Little, one: int, other: int) -> dict[str, tuple[str, object]]:
    data = difference(little.registry, little.lake, one, other).data
    assert data is not None
    return {file.name: (file.kind, file.rows) for file in data.files}


def test_files_and_rows_are_told_in_the_order_that_was_asked(little: Little) -> None:
    assert files(little, 1, 2) == {
        "abalone.data": ("changed", (300, 320)),
        "abalone.20250314010000": ("changed", (20, 20)),
        "abalone.20250314020000": ("removed", (20, None)),
        "abalone.20250402000000": ("added", (None, 20)),
        "abalone.20250402010000": ("added", (None, 20)),
    }
    assert files(little, 2, 1)["abalone.20250402000000"] == ("removed", (20, None))
    data = difference(little.registry, little.lake, 1, 2).data
    assert data is not None
    assert (data.rows, data.days) == ((360, 400), (1, 2))
    assert {file.day for file in data.files} == {"", DAY, NEXT}


def test_code_settings_libraries_and_scores_are_told(little: Little) -> None:
    found = difference(little.registry, little.lake, 1, 2)

    assert found.code is not None
    assert found.code.keys() == {"sha256"}
    assert found.settings == {"eta": ("0.1", "0.3"), "seed": ("0", "4")}
    assert found.libraries is not None
    assert found.libraries["numpy"][1] == "1.0"
    assert found.libraries["xgboost"][1] is None
    assert found.machine == {}
    assert found.scores is not None
    assert found.unknown == ()
    back = difference(little.registry, little.lake, 2, 1).scores
    assert back is not None
    assert back.rmse == found.scores.rmse[::-1]
    assert back.difference == pytest.approx(-found.scores.difference)
    assert (back.low, back.high) == (-found.scores.high, -found.scores.low)
    assert back.rmse[1] - back.rmse[0] == pytest.approx(back.difference)


def test_a_release_of_the_same_data_has_the_same_files(little: Little) -> None:
    little.release("xgboost", {"eta": 0.2})
    assert files(little, 2, 3) == {}


@pytest.mark.parametrize(
    ("changes", "rows"),
    [({"rows": 299, "quarantined": 1}, (300, 299)), ({"origin": EXAMPLE}, (300, 300))],
    ids=["rows", "origin"],
)
def test_a_base_survey_whose_file_stayed_and_whose_rows_did_not_is_another(
    home: Path, changes: dict[str, Any], rows: tuple[int, int]
) -> None:
    little = Little(home)
    little.base()
    little.release()
    raw = little.lake.manifest().raw
    assert raw is not None
    commit_raw(little.lake.store, replace(raw, **changes))
    little.release("xgboost", {"eta": 0.2})
    assert files(little, 1, 2) == {"abalone.data": ("changed", rows)}


def test_what_is_not_known_is_said(little: Little) -> None:
    little.registry.register(
        archive("old"), evaluation={}, decision={"approved": True}, release_digest="r"
    )
    little.release("xgboost", {"eta": 0.4}, {"inputs": None})
    little.registry.remove_archive(2)

    old = difference(little.registry, little.lake, 1, 3)
    assert (old.data, old.code, old.settings) == (None, None, None)
    assert old.unknown[0].startswith("version 3: what it was trained on is not recorded")
    unrecorded = difference(little.registry, little.lake, 1, 4)
    assert unrecorded.data is None
    assert unrecorded.settings is not None
    gone = difference(little.registry, little.lake, 1, 2)
    assert gone.data is not None
    assert gone.scores is None
    assert "the archive of version 2 is gone" in gone.unknown[0]
    little.lake.store.delete_folder("_kept")
    documents.cache_clear()
    lost = difference(little.registry, little.lake, 1, 4)
    assert any("survey days are not known any more" in each for each in lost.unknown)


def test_the_command_shows_it_and_gives_it_as_json(little: Little) -> None:
    watched = CliRunner().invoke(main, ["diff", "1", "2"], env={"FORCE_COLOR": "1"})
    assert "Comparing version 1 with version 2 …" in watched.stderr, "at a terminal"
    shown = CliRunner().invoke(main, ["diff", "1", "2"])
    assert shown.stderr == ""
    assert shown.exit_code == 0, shown.output
    for told in (
        "Data: 360 → 400 rows of the base survey and 1 → 2 survey days",
        "2 files added, +40 rows",
        "1 file removed, -20 rows",
        "2 files changed, +20 rows",
        "abalone.20250402010000",
        "eta",
        "Machine: the same",
        "rows that neither had learnt: version 1 ",
    ):
        assert told in shown.stdout
    document = json.loads(CliRunner().invoke(main, ["diff", "1", "2", "--json"]).stdout)
    assert document["data"]["files"][0]["kind"] == "changed"
    assert document["versions"] == [1, 2]
    same = CliRunner().invoke(main, ["diff", "2", "2"])
    assert same.exit_code == 1
    assert "does not differ from itself" in same.output
