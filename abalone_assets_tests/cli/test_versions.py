"""`abalone versions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.cli.versions import LISTED
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.cli.support import abalone, abalone_json
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
    assert "Approved: the first model" in shown
    assert "neither model" not in shown
    (told,) = abalone_json("versions")["versions"]
    assert (told["reason"], told["in_short"][:26]) == (sentence, "Approved: the first model,")


def test_the_older_ones_are_shown_when_asked_for(registry: FolderRegistry) -> None:
    for number in range(LISTED + 2):
        register(registry, b"%d" % number)
    assert len(abalone_json("versions")["versions"]) == LISTED
    assert "Older ones: `abalone versions --all`, from version 2." in abalone("versions").output
    assert len(abalone_json("versions", "--all")["versions"]) == LISTED + 2
