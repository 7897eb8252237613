"""What is written or removed while `abalone verify` looks is no damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abalone_assets.doctor.verify import inputs, models
from abalone_assets.doctor.verify.animals import animals_findings
from abalone_assets.doctor.verify.surveys import survey_findings
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.lake import kept_inputs
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.lake import Lake
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.ageing.shore import Shore
from abalone_assets_tests.ageing.support import MONDAY, animals, animals_name
from abalone_assets_tests.provenance.support import DAY, NEXT, Little

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pytest


def test_what_gc_removes_meanwhile_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive of an old version went, and then what it alone was made from."""
    little = Little(tmp_path)
    little.base()
    little.ingest("2025-03-14", 1)
    little.release()
    little.ingest("2025-03-14", 2)
    little.release()
    (rows,) = (tmp_path / "lake/_kept/rows").iterdir()
    document = min((tmp_path / "lake/_kept/days").iterdir(), key=lambda each: each.stat().st_mtime)
    listed = little.lake.store.list

    def list_and_lose(prefix: str = "") -> list[Any]:
        found = [*listed(prefix)]
        if prefix == kept_inputs.ROWS:
            little.registry.remove_archive(1)
            rows.unlink()
            document.unlink()
        return found

    monkeypatch.setattr(little.lake.store, "list", list_and_lose)
    (finding,) = inputs.input_findings(little.lake, little.registry, sorted)
    assert finding.outcome == "ok", finding


def test_an_archive_that_gc_removes_meanwhile_is_no_damage(tmp_path: Path) -> None:
    little = Little(tmp_path)
    little.base()
    little.release()
    version = little.registry.get(1)
    little.registry.remove_archive(1)
    assert models._archive(little.registry, version, needed=()) == ""
    assert "is gone" in models._archive(little.registry, version, needed=(1,))


def test_days_and_a_base_survey_that_are_written_meanwhile_are_no_damage(tmp_path: Path) -> None:
    """Beside a running `abalone dev` it told to delete the folders of good days."""
    little, zone = Little(tmp_path), tmp_path / "zone"
    zone.mkdir()
    little.base()
    for day in (DAY, NEXT):
        little.ingest(day, 1)
    found = {}
    for each in survey_findings(little.lake, FolderLandingZone(zone), load_settings(), sorted):
        found[each.subject] = each
        if each.subject == "manifest":
            little.base(200)
            little.ingest(DAY, 1, 2)
    assert [each.outcome for each in found.values()] == ["ok", "ok", "ok", "warning"]
    assert "1 day" in found["survey days"].found

    little.lake.store.delete(little.lake.key("new_surveys", NEXT))
    damage = survey_findings(little.lake, FolderLandingZone(zone), load_settings(), sorted)
    assert {each.subject for each in damage if each.outcome == "failed"} == {"survey days"}


def test_so_are_days_of_animals(tmp_path: Path) -> None:
    lake, zone = Lake(str(tmp_path / "lake")), FolderLandingZone(tmp_path / "zone")
    zone.folder.mkdir()
    shore = Shore(zone, Animals(lake), tmp_path)
    zone.land(animals_name(MONDAY), animals(3))
    shore.take_in([MONDAY])

    def landed_since(days: Collection[str]) -> list[str]:
        zone.land(animals_name(MONDAY, "160000"), animals(2, seed=1))
        shore.take_in([MONDAY])
        return sorted(days)

    taken_in, _ = animals_findings(lake, landed_since)
    assert taken_in.outcome == "ok", taken_in
    lake.store.delete(lake.key("unaged_animals", MONDAY))
    taken_in, _ = animals_findings(lake, sorted)
    assert taken_in.outcome == "failed"
