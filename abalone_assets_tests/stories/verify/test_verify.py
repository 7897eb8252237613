"""`abalone verify` finds whatever is not as recorded, and says nothing is wrong when it is not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import files_below, ingest, name_of
from abalone_assets_tests.cli.support import abalone, abalone_json
from abalone_assets_tests.stories.finished import DAYS
from abalone_assets_tests.stories.verify.damages import DAMAGES, Damage, revoke

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.xdist_group("verify")  # one home for all


def found(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {each["subject"]: each for each in document["findings"]}


def test_a_finished_home_is_as_recorded_and_stays_as_it_is(home: Path) -> None:
    before = files_below(home / "lake") | files_below(home / "registry")

    findings = found(abalone_json("verify"))

    assert {each["outcome"] for each in findings.values()} == {"ok"}
    assert "2 survey days and the base survey: 812 rows" in findings["manifest"]["found"]
    assert findings["landing zone"]["found"].startswith("the bytes of 2 files are")
    assert files_below(home / "lake") | files_below(home / "registry") == before
    assert "All is well." in abalone("verify").output


@pytest.mark.parametrize("damage", [pytest.param(each, id=each.id) for each in DAMAGES])
def test_each_damage_is_told_with_what_to_do(home: Path, damage: Damage) -> None:
    damage.make(home)

    result = abalone("verify", "--json")

    findings = found(json.loads(result.stdout))
    assert result.exit_code == (1 if damage.outcome == "failed" else 0)
    finding = findings[damage.subject]
    assert finding["outcome"] == damage.outcome, findings
    assert finding["remedy"]
    assert re.search(damage.told, finding["found"]), finding["found"]
    others = {each["subject"] for each in findings.values() if each["outcome"] == "failed"}
    too = {"inputs of versions"}  # damaged rows are missing to versions too
    assert others <= {damage.subject, *too, *damage.also}


@pytest.mark.parametrize(
    ("damage", "remedy"),
    [
        pytest.param(damage, remedy, id=f"{damage.id}: {remedy.__name__}")
        for damage in DAMAGES
        for remedy in damage.remedies
    ],
)
def test_what_is_said_to_help_does(
    finished: Platform, home: Path, damage: Damage, remedy: Callable[[Platform], None]
) -> None:
    damage.make(home)
    remedy(finished)
    findings = found(abalone_json("verify"))
    assert {each["outcome"] for each in findings.values()} == {"ok"}, findings


def test_a_file_whose_bytes_decayed_is_told(
    finished: Platform, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(home)
    assert ingest(finished) == [True]  # its token is that of the file as it lies here now
    read = FolderLandingZone.read
    monkeypatch.setattr(
        FolderLandingZone, "read", lambda zone, name: read(zone, name).replace(b"15", b"16", 1)
    )

    finding = found(json.loads(abalone("verify", "--json").stdout))["landing zone"]

    assert finding["outcome"] == "failed"
    assert name_of(DAYS[0]) in finding["found"]
    assert (home / "landing_zone").exists()


def test_an_old_archive_that_was_removed_is_no_damage(home: Path) -> None:
    registry = FolderRegistry(ObjectStore(home / "registry"))
    (home / "registry/endpoints/abalone.json").write_text(
        json.dumps({"endpoint": "abalone", "version": 2, "previous": None, "requested_at": "now"})
    )
    document = json.loads((home / "lake/evaluation/data.json").read_text())
    document["request"]["options"] = {}
    (home / "lake/evaluation/data.json").write_text(json.dumps(document))
    version = json.loads((home / "registry/versions/000002/version.json").read_text())
    version["decision"]["rule"] = "better_than_champion"  # so that it is a reference itself
    (home / "registry/versions/000002/version.json").write_text(json.dumps(version))
    registry.remove_archive(1)

    finding = found(abalone_json("verify"))["model versions"]

    assert finding["outcome"] == "ok"
    assert "of older ones 1 removed" in finding["found"]
