"""What a tick of the survey sensor reads and keeps, and which days it looks at."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.landing_zone import LandedFile
from abalone_assets.ingest.memory import read_memory
from abalone_assets.lake.manifest import IngestedDay, IngestedFile
from abalone_assets.lake.manifest_store import commit_days
from abalone_assets.survey import SURVEYS, FileKind
from abalone_assets_tests.automation.support import (
    DAY,
    FILE,
    SURVEY_SENSOR,
    Clock,
    ingest,
    name_of,
    ranges,
    requests,
    today,
)
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_the_cursor_stays_small_whatever_lies_in_the_landing_zone(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once had every stray and every rewritten file in it, and each tick keeps a copy."""
    first = date(2016, 1, 1)
    monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", first.isoformat())
    days = [(first + timedelta(days=number)).isoformat() for number in range(3650)]
    files = {day: LandedFile(name_of(day), 3, "old") for day in days}
    sha256 = hashlib.sha256(b"").hexdigest()
    entries = {
        day: IngestedDay("digest", (IngestedFile(file.name, 3, "old", sha256, 0, 0),))
        for day, file in files.items()
    }
    commit_days(platform.lake.store, entries)
    strays = [LandedFile(f"notes {number} {'x' * 200}.txt", 1, "e") for number in range(10_000)]
    rewritten = [replace(file, e_tag="new") for file in files.values()]

    def list_files(
        _: FolderLandingZone, since: date | None = None, kind: FileKind = SURVEYS
    ) -> Iterator[LandedFile]:
        assert since is None
        return iter([*rewritten, *strays])

    monkeypatch.setattr(FolderLandingZone, "list_files", list_files)
    monkeypatch.setattr(FolderLandingZone, "read", lambda _zone, _name: b"")
    for _ in range(2):
        platform.tick(SURVEY_SENSOR)
        assert len(platform.cursors[SURVEY_SENSOR] or "") < 1000
    assert len(read_memory(platform.lake.store).identical) > 300


def test_a_tick_reads_no_file_in_the_steady_state(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [f"2025-03-0{number}" for number in range(1, 6)]
    for seed, day in enumerate(days):
        platform.land(name_of(day), survey_rows(3, seed=seed))
    assert ingest(platform) == [True]
    for seed, day in enumerate(days[:2]):  # written again with the same bytes
        platform.land(name_of(day), survey_rows(3, seed=seed))
    read, reads = FolderLandingZone.read, list[str]()

    def counted(zone: FolderLandingZone, name: str) -> bytes:
        reads.append(name)
        return read(zone, name)

    monkeypatch.setattr(FolderLandingZone, "read", counted)
    for _ in range(3):
        assert requests(platform) == []
        assert len(reads) == 2, "the first look compares what was rewritten; no later one reads"


class TestWithARareReconciliation:
    """On S3 a listing of all days is dear, so most ticks look at the recent ones only."""

    @pytest.fixture
    def platform(self, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
        monkeypatch.setenv("ABALONE_RECONCILE_SECONDS", "600")
        return platform

    def test_a_recent_survey_is_seen_at_once_and_a_late_one_at_the_next_look_at_all(
        self, platform: Platform, clock: Clock
    ) -> None:
        assert requests(platform) == []  # the first tick looks at all days
        platform.land(FILE, survey_rows(3))
        platform.land(name_of(today(), "000000"), survey_rows(3, seed=1))
        assert ranges(requests(platform)) == [(today(), today())]
        assert ingest(platform) == [True]
        clock.advance(seconds=500)
        assert requests(platform) == []
        clock.advance(seconds=100)
        assert ranges(requests(platform)) == [(DAY, DAY)]

    def test_a_clock_that_is_set_back_hides_no_late_survey(
        self, platform: Platform, clock: Clock
    ) -> None:
        """The last look then lies in the future, and once put the next one off until then."""
        assert requests(platform) == []
        clock.advance(seconds=-3600)
        platform.land(FILE, survey_rows(3))
        assert ranges(requests(platform)) == [(DAY, DAY)]

    def test_strays_are_reported_once(self, platform: Platform, clock: Clock) -> None:
        platform.land("notes.txt", b"gone fishing")
        reports = [len(platform.tick(SURVEY_SENSOR).asset_events) for _ in range(2)]
        clock.advance(seconds=600)
        reports.append(len(platform.tick(SURVEY_SENSOR).asset_events))
        assert reports == [1, 0, 0]
