"""`abalone forget`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.cli import output
from abalone_assets.cli.forget import _listed
from abalone_assets.lake.manifest import IngestedDay, Manifest
from abalone_assets.lake.manifest_store import revoke_days
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.cli.support import GOOD_ROW, abalone, abalone_json, ingest

if TYPE_CHECKING:
    from pathlib import Path

DAYS = ["2025-03-01", "2025-03-02"]


@pytest.fixture
def zone(home: Path) -> Path:
    """A landing zone of two days that are in the lake."""
    for day in DAYS:
        (home / "landing_zone" / f"abalone.{day.replace('-', '')}061500").write_text(GOOD_ROW)
        ingest(home, day)
    return home / "landing_zone"


def empty(zone: Path) -> None:
    for file in zone.iterdir():
        file.unlink()


@pytest.mark.parametrize("arguments", [DAYS, ["--missing", "--yes"]])
def test_days_deleted_on_purpose_are_due_once_somebody_says_so(
    home: Path, zone: Path, arguments: list[str]
) -> None:
    empty(zone)
    assert abalone_json("status")["due_days"] == []
    assert abalone_json("forget", *arguments) == {"days": DAYS, "rows": 2}
    status = abalone_json("status")
    assert (status["due_days"], status["vanished_days"], status["totals"]["rows"]) == (DAYS, [], 0)
    for day in DAYS:
        ingest(home, day)
    assert abalone_json("status")["due_days"] == []
    assert "Nothing to do" in abalone("forget", "--missing").output


def test_a_revoked_day_that_is_missing_is_forgotten_with_what_it_held(
    home: Path, zone: Path
) -> None:
    empty(zone)
    revoke_days(ObjectStore(home / "lake"), DAYS[:1])
    assert abalone_json("status")["vanished_days"] == DAYS
    assert abalone_json("forget", *DAYS) == {"days": DAYS, "rows": 2}
    assert abalone_json("status")["vanished_days"] == []


def test_missing_days_are_shown_and_forgotten_only_if_somebody_agrees(
    zone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty(zone)
    assert "add --yes" in abalone("forget", "--missing").stderr
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    asked = abalone("forget", "--missing", text="n\n")
    assert asked.exit_code == 1
    assert "2025-03-02: 1 file, 1 row" in asked.output
    assert "Forget 2 survey days?" in asked.output
    assert abalone_json("status")["totals"]["rows"] == 2
    assert "Forgot 2 survey days" in abalone("forget", "--missing", text="y\n").output
    assert abalone_json("status")["totals"]["rows"] == 0


def test_of_many_missing_days_the_ends_are_shown() -> None:
    days = {f"2025-03-{number:02}": IngestedDay("d", ()) for number in range(1, 31)}
    shown = [*_listed(sorted(days), Manifest(None, days))]
    assert shown[0] == "  2025-03-01: 0 files, 0 rows"
    assert shown[10] == "  … 10 more days …"
    assert shown[-1].startswith("  2025-03-30")
    assert len(shown) == 21


@pytest.mark.usefixtures("zone")
def test_a_day_that_still_has_files_or_is_unknown_is_not_forgotten() -> None:
    result = abalone("forget", DAYS[0], "2025-03-09")
    assert result.exit_code == 1
    assert "2025-03-01 still has files in the landing zone" in result.stderr
    assert "2025-03-09 is no survey day" in result.stderr
    assert abalone_json("status")["totals"]["rows"] == 2


@pytest.mark.parametrize("arguments", [[], ["2025-3-1x"]])
def test_days_are_named_as_dates(home: Path, arguments: list[str]) -> None:
    assert abalone("forget", *arguments).exit_code == 2


@pytest.mark.parametrize("other", ["20250301", "2025-3-1", "2025-W09-6"])
def test_a_day_that_is_written_otherwise_is_no_day(zone: Path, other: str) -> None:
    empty(zone)
    refused = abalone("forget", other)
    assert (refused.exit_code, "is no day: write it as" in refused.stderr) == (2, True)
    assert abalone_json("forget", DAYS[0])["days"] == DAYS[:1]
