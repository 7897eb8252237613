"""The survey sensor: every way in which a file comes, changes and goes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation import day_requests
from abalone_assets.automation.runs import day_range_tags
from abalone_assets.ingest.landing_zone import FolderLandingZone, LandedFile
from abalone_assets.ingest.memory import read_memory
from abalone_assets.ingest.reconcile import DayRange
from abalone_assets.lake.lake import Release
from abalone_assets.lake.manifest import IngestedDay, IngestedFile
from abalone_assets.lake.manifest_store import commit_days, read_manifest_anew
from abalone_assets.survey import SURVEYS, FileKind
from abalone_assets_tests.automation.support import (
    INGEST,
    RELEASE_SENSOR,
    SURVEY_SENSOR,
    Clock,
    ingest,
    launch,
    name_of,
    prepare_only,
    ranges,
    requests,
    table,
    today,
)
from abalone_assets_tests.support.platform import BASE_ROWS, Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY = "2025-03-03"
FILE = name_of(DAY)


def ingested(platform: Platform, day: str = DAY) -> dict[str, int]:
    """Rows by file, as the manifest says them; ingestion was asked for once and is not again."""
    assert requests(platform) == []
    return {file.name: file.rows for file in platform.lake.manifest().days[day].files}


def _land_within_the_second(platform: Platform, name: str) -> None:
    """Land a file whose time of writing is that of the first one, to the second."""
    second = (platform.home / "landing_zone" / FILE).stat().st_mtime_ns // 10**9 * 10**9
    platform.land(name, survey_rows(4, seed=1))
    os.utime(platform.home / "landing_zone" / name, ns=(second, second))


OTHER = name_of(DAY, "115959")
CHANGES: dict[str, tuple[Callable[[Platform], None], dict[str, int]]] = {
    "rewritten": (lambda platform: platform.land(FILE, survey_rows(5, seed=1)), {FILE: 5}),
    "rewritten with its size unchanged": (
        lambda platform: platform.land(FILE, survey_rows(3).replace(b",15\n", b",16\n")),
        {FILE: 3},
    ),
    "rewritten within the second": (lambda p: _land_within_the_second(p, FILE), {FILE: 4}),
    # A watermark on the time of the last file once seen would skip it.
    "followed by one of the same second": (
        lambda platform: _land_within_the_second(platform, OTHER),
        {FILE: 3, OTHER: 4},
    ),
}
"""What may become of a file of three rows, and the rows of its day then."""


class TestADayIsDue:
    @pytest.mark.parametrize("late", [False, True], ids=["of today", "late for a day long past"])
    def test_when_a_new_file_arrives(self, platform: Platform, *, late: bool) -> None:
        platform.land(name_of("2025-06-01"), survey_rows(3))
        assert ingest(platform) == [True]
        day = "2023-01-01" if late else today()
        platform.land(name_of(day, "000000"), survey_rows(4))
        asked = requests(platform)
        assert ranges(asked) == [(day, day)]
        platform.run(INGEST, asked[0])
        assert ingested(platform, day) == {name_of(day, "000000"): 4}

    @pytest.mark.parametrize("change", list(CHANGES))
    def test_when_a_file_is(self, platform: Platform, change: str) -> None:
        platform.land(FILE, survey_rows(3))
        assert ingest(platform) == [True]
        digest = platform.lake.manifest().days[DAY].digest
        make, rows = CHANGES[change]
        make(platform)
        assert ingest(platform) == [True]
        assert ingested(platform) == rows
        assert platform.lake.manifest().days[DAY].digest != digest

    def test_when_a_file_is_deleted(self, platform: Platform) -> None:
        other = name_of(DAY, "120001")
        platform.land(FILE, survey_rows(3))
        platform.land(other, survey_rows(4, seed=1))
        assert ingest(platform) == [True]
        (platform.home / "landing_zone" / other).unlink()
        assert ingest(platform) == [True]
        assert ingested(platform) == {FILE: 3}
        platform.land(name_of("2025-03-02"), survey_rows(3, seed=2))
        assert ingest(platform) == [True]
        (platform.home / "landing_zone" / FILE).unlink()
        assert ingest(platform) == [True]
        assert ingested(platform) == {}

    def test_but_not_when_identical_bytes_land_again(self, platform: Platform) -> None:
        platform.land(FILE, survey_rows(3))
        assert ingest(platform) == [True]
        platform.land(FILE, survey_rows(3))
        assert requests(platform) == []

    def test_but_not_while_an_upload_is_under_way(self, platform: Platform) -> None:
        (platform.home / "landing_zone" / f".{FILE}.part").write_bytes(survey_rows(3))
        assert requests(platform) == []


class TestDaysThatAreMissing:
    DAYS = tuple(f"2025-03-0{number}" for number in range(1, 5))

    def test_keep_their_rows_whatever_lands_before_between_and_after_them(
        self, platform: Platform
    ) -> None:
        for seed, day in enumerate(self.DAYS):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert ingest(platform) == [True]
        for day in self.DAYS:
            (platform.home / "landing_zone" / name_of(day)).unlink()
        assert requests(platform) == []
        for seed, day in enumerate(["2025-02-27", "2025-03-05", "2025-03-06", "2025-03-07"], 10):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert ingest(platform) == [True, True]
        assert requests(platform) == []
        assert [platform.lake.manifest().rows_of(day) for day in self.DAYS] == [3] * 4
        missed = dg.RunRequest(tags=day_range_tags(DayRange(self.DAYS[0], self.DAYS[1])))
        assert platform.run(INGEST, missed).success
        assert [platform.lake.manifest().rows_of(day) for day in self.DAYS] == [3] * 4
        assert requests(platform) == []


class TestAFileThatGrows:
    def append(self, platform: Platform, name: str, data: bytes) -> None:
        with (platform.home / "landing_zone" / name).open("ab") as file:
            file.write(data)

    def test_is_ingested_when_it_comes_to_rest_and_the_days_other_file_at_once(
        self, platform: Platform, clock: Clock
    ) -> None:
        rows = survey_rows(6, seed=1).splitlines(keepends=True)
        platform.land(OTHER, survey_rows(4))
        for number, row in enumerate(rows):
            self.append(platform, FILE, row)
            assert ingest(platform) == ([True] if number == 0 else [])
            clock.advance(seconds=5)
        assert f"1 file still being written ({FILE})" in str(platform.reasons[SURVEY_SENSOR])
        assert {file.name for file in platform.lake.manifest().days[DAY].files} == {OTHER}
        asked = requests(platform)
        assert ranges(asked) == [(DAY, DAY)]
        clock.reset()
        platform.run(INGEST, asked[0])
        assert ingested(platform) == {OTHER: 4, FILE: 6}

    def test_holds_no_release_back(self, platform: Platform) -> None:
        platform.land(OTHER, survey_rows(4))
        assert ingest(platform) == [True]
        self.append(platform, FILE, survey_rows(1, seed=1))
        assert requests(platform) == []
        assert len(requests(platform, RELEASE_SENSOR)) == 1

    def test_is_taken_as_it_is_without_a_rest_to_wait_for(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ABALONE_SETTLE_SECONDS", "0")
        self.append(platform, FILE, survey_rows(2))
        assert ingest(platform) == [True]
        assert ingested(platform) == {FILE: 2}


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


class TestALandingZoneThatWentAway:
    """An emptied folder once took every survey out of the lake, and a model without went live."""

    @pytest.mark.parametrize("reconcile_seconds", ["0", "600"])
    def test_keeps_its_days_in_the_lake_and_says_what_to_do(
        self,
        platform: Platform,
        monkeypatch: pytest.MonkeyPatch,
        clock: Clock,
        reconcile_seconds: str,
    ) -> None:
        monkeypatch.setenv("ABALONE_RECONCILE_SECONDS", reconcile_seconds)
        first = datetime.now(UTC).date()
        days = [(first - timedelta(days=number)).isoformat() for number in (2, 1, 0)]
        for seed, day in enumerate(days):
            platform.land(name_of(day, "000000"), survey_rows(3, seed=seed))
        assert ingest(platform) == [True]
        (platform.home / "landing_zone").rename(platform.home / "elsewhere")
        (platform.home / "landing_zone").mkdir()
        for _ in range(3):
            assert requests(platform) == []
            said = str(platform.reasons[SURVEY_SENSOR])
            assert f"the files of 3 survey days, {days[0]} to {days[2]}, are gone at once" in said
            assert "abalone forget" in said
            clock.advance(seconds=300)
        assert platform.lake.manifest().rows == 9
        (platform.home / "landing_zone").rmdir()
        (platform.home / "elsewhere").rename(platform.home / "landing_zone")
        assert requests(platform) == []
        assert platform.reasons[SURVEY_SENSOR] == "every landed survey is in the lake"

    def test_costs_a_look_at_everything_once_not_at_every_tick(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch, clock: Clock
    ) -> None:
        monkeypatch.setenv("ABALONE_RECONCILE_SECONDS", "600")
        platform.land(name_of(today(), "000000"), survey_rows(3))
        assert ingest(platform) == [True]
        (platform.home / "landing_zone" / name_of(today(), "000000")).unlink()
        looks = list[float]()
        for _ in range(3):
            clock.advance(seconds=10)
            assert requests(platform) == []
            looks.append(json.loads(platform.cursors[SURVEY_SENSOR] or "")["reconciled_at"])
        assert len(set(looks)) == 1


class TestALakeThatLostADay:
    """A folder deleted by hand once failed every release, while the sensor found nothing to do."""

    @pytest.mark.parametrize("asset", ["new_surveys", "quarantined_rows"])
    def test_gets_it_again_from_the_landing_zone(self, platform: Platform, asset: str) -> None:
        platform.land(FILE, survey_rows(3) + b"X,1\n")
        assert ingest(platform) == [True]
        shutil.rmtree(platform.home / "lake" / asset / f"survey_day={DAY}")
        assert platform.lake.lost_days(platform.lake.manifest()) == [DAY]
        asked = requests(platform)
        assert ranges(asked) == [(DAY, DAY)]
        assert platform.lake.manifest().days_with_rows == [], "no release looks for it meanwhile"
        platform.run(INGEST, asked[0])
        assert ingested(platform) == {FILE: 3}
        assert platform.lake.lost_days(platform.lake.manifest()) == []

    def test_gets_the_files_of_a_lost_part_of_its_manifest_again(self, platform: Platform) -> None:
        """Random histories found it: nothing looked at the part, and the next change failed."""
        for seed, day in enumerate((DAY, "2025-03-04", "2025-04-01")):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert all(ingest(platform))
        digest = platform.lake.manifest().digest
        for path in (platform.home / "lake" / "_manifest").glob("2025-03.*"):
            path.unlink()
        read_manifest_anew(platform.lake.store)
        assert platform.lake.lost_days(platform.lake.manifest()) == [
            each for each in platform.lake.manifest().days if each.startswith("2025-03")
        ]
        assert all(ingest(platform))
        assert len(read_manifest_anew(platform.lake.store).days["2025-03-04"].files) == 1
        assert platform.lake.manifest().digest == digest
        assert requests(platform) == []

    def test_gets_them_also_beside_days_before_the_first_survey_day(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of these the same part has the files, and nothing of the month could be written."""
        platform.land(name_of("2025-03-01"), survey_rows(2, seed=1))
        platform.land(FILE, survey_rows(3))
        assert ingest(platform) == [True, True]
        monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", DAY)
        for stored in list(platform.lake.store.list("_manifest/")):
            platform.lake.store.delete(stored.key)
        read_manifest_anew(platform.lake.store)
        platform.land(name_of("2025-03-04"), survey_rows(4, seed=2))
        assert all(ingest(platform))
        assert platform.lake.manifest().rows_of(DAY) == 3
        assert platform.lake.manifest().rows_of("2025-03-04") == 4
        monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", "2025-03-01")
        assert ingest(platform) == [True]
        assert platform.lake.manifest().rows_of("2025-03-01") == 2

    def test_says_so_when_it_is_not_there_either(self, platform: Platform) -> None:
        for seed, day in enumerate((DAY, "2025-03-04")):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert ingest(platform) == [True]
        shutil.rmtree(platform.home / "lake" / "new_surveys" / f"survey_day={DAY}")
        for file in (platform.home / "landing_zone").iterdir():
            file.unlink()
        assert requests(platform) == []
        said = str(platform.reasons[SURVEY_SENSOR])
        assert f"the lake lost 1 survey day ({DAY}) whose files are not in the landing zone" in said


class TestTheFirstSurveyDay:
    def test_takes_days_out_of_the_next_release_and_in_again_whichever_way_it_moves(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The days before a later first day once stayed in every model for ever."""
        for seed, day in enumerate((DAY, "2025-03-04")):
            platform.land(name_of(day), survey_rows(3 + seed, seed=seed))
        assert ingest(platform) == [True]
        digests = []
        for first, rows in (("2023-01-01", 7), ("2025-03-04", 4), ("2025-03-03", 7)):
            monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", first)
            assert requests(platform) == []
            assert len(requests(platform, RELEASE_SENSOR)) == 1
            assert sum(day.rows for day in platform.lake.manifest().days.values()) == rows
            assert platform.lake.earlier_days() == ([DAY] if rows == 4 else [])
            assert prepare_only(platform).success
            assert platform.lake.preparation().rows_ingested == rows + BASE_ROWS
            digests.append(platform.lake.manifest().digest)
            platform.lake.record_release(Release(digests[-1], "deployed", "", 1, "", "2025-03-03"))
            assert requests(platform, RELEASE_SENSOR) == []
        assert digests[0] == digests[2] != digests[1]


class TestStrays:
    def stray_counts(self, platform: Platform) -> list[object]:
        events = platform.tick(SURVEY_SENSOR).asset_events
        assert all(
            isinstance(event, dg.AssetObservation)
            and event.asset_key == dg.AssetKey("landing_zone")
            for event in events
        )
        return [event.metadata["stray_files"].value for event in events]

    def test_are_reported_once_and_again_when_they_are_others(self, platform: Platform) -> None:
        platform.land("abalone.2025-03-03", survey_rows(3))
        assert self.stray_counts(platform) == [1]
        assert self.stray_counts(platform) == []
        platform.land("notes.txt", b"gone fishing")
        assert self.stray_counts(platform) == [2]
        assert self.stray_counts(platform) == []
        (platform.home / "landing_zone" / "notes.txt").unlink()
        assert self.stray_counts(platform) == [1], "one that is gone is not shown for ever"
        assert self.stray_counts(platform) == []

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("abalone.20250231120000", "day"),
            (name_of("2022-12-31"), "ABALONE_FIRST_SURVEY_DAY"),
        ],
        ids=["no day", "before the first partition"],
    )
    def test_show_their_names_and_problems(
        self, platform: Platform, name: str, problem: str
    ) -> None:
        platform.land(name, survey_rows(3))
        tick = platform.tick(SURVEY_SENSOR)
        assert tick.run_requests == []
        (event,) = tick.asset_events
        (record,) = table(event.metadata["files"])
        assert record["file"] == name
        assert problem in str(record["problem"])

    def test_block_no_other_file(self, platform: Platform) -> None:
        platform.land("abalone.csv", survey_rows(3))
        (platform.home / "landing_zone" / "abalone.\udcff\n").write_bytes(b"?")
        platform.land(FILE, survey_rows(3))
        assert ingest(platform) == [True]
        assert ingested(platform) == {FILE: 3}

    def test_of_the_future_are_ingested_when_their_day_comes(
        self, platform: Platform, clock: Clock
    ) -> None:
        clock.advance(days=-1)  # to the sensor, today is tomorrow
        platform.land(name_of(today(), "000000"), survey_rows(3))
        assert self.stray_counts(platform) == [1]
        assert requests(platform) == []
        clock.advance(days=1)
        assert ingest(platform) == [True]
        assert ingested(platform, today()) == {name_of(today(), "000000"): 3}


class TestRequests:
    def test_of_one_tick_are_bounded_and_the_rest_follows(self, platform: Platform) -> None:
        months = [f"2024-{month:02}-01" for month in (1, 3, 5, 7, 9, 11)] + ["2025-01-01"]
        for seed, day in enumerate(months):
            platform.land(name_of(day), survey_rows(1, seed=seed))
        first = requests(platform)
        assert ranges(first) == [(day, day) for day in months[: day_requests.MAX_REQUESTS]]
        for request in first:
            launch(platform, request)
        rest = requests(platform)
        assert ranges(rest) == [(day, day) for day in months[day_requests.MAX_REQUESTS :]]

    @pytest.mark.parametrize(
        "cursor", [None, "", "{}", "[]", "no json", '{"other": 1}', '{"reconciled_at": null}']
    )
    def test_are_made_whatever_became_of_the_cursor(
        self, platform: Platform, cursor: str | None
    ) -> None:
        platform.land(FILE, survey_rows(3))
        platform.cursors[SURVEY_SENSOR] = cursor
        assert ranges(requests(platform)) == [(DAY, DAY)]

    def test_do_not_overlap_with_days_in_flight(self, platform: Platform) -> None:
        """Two due days around one in flight were once bridged into a range that covered it."""
        platform.land(name_of("2025-03-05"), survey_rows(3))
        (in_flight,) = requests(platform)
        launch(platform, in_flight)
        for seed, day in enumerate(("2025-03-02", "2025-03-03", "2025-03-09"), start=1):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert ranges(requests(platform)) == [
            ("2025-03-02", "2025-03-03"),
            ("2025-03-09", "2025-03-09"),
        ]

    def test_count_runs_that_a_user_launched(self, platform: Platform) -> None:
        platform.land(FILE, survey_rows(3))
        launch(platform, dg.RunRequest(tags={"dagster/partition": DAY}))
        assert requests(platform) == []
        assert "1 in flight" in str(platform.reasons[SURVEY_SENSOR])


def test_a_survey_that_lands_while_its_day_is_in_flight_is_not_lost(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, may_go_on = threading.Event(), threading.Event()
    read = FolderLandingZone.read

    def slow_read(zone: FolderLandingZone, name: str) -> bytes:
        reading.set()
        assert may_go_on.wait(20)
        return read(zone, name)

    platform.land(FILE, survey_rows(3))
    (request,) = requests(platform)
    with monkeypatch.context() as patched:
        patched.setattr(FolderLandingZone, "read", slow_read)
        run = threading.Thread(target=platform.run, args=(INGEST, request))
        run.start()
        assert reading.wait(20)
        second = name_of(DAY, "130000")
        platform.land(second, survey_rows(4, seed=1))
        assert requests(platform) == []
        may_go_on.set()
        run.join()
    assert ingest(platform) == [True]
    assert ingested(platform) == {FILE: 3, second: 4}


def test_a_lost_dagster_database_loses_no_state(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.land(FILE, survey_rows(3))
    assert ingest(platform) == [True]
    digest = platform.lake.manifest().digest
    platform.lake.record_release(Release(digest, "deployed", "a test", 1, "a run", "2025-03-03"))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(fresh))
    with Platform.at(platform.home) as reborn:
        assert requests(reborn) == []
        assert requests(reborn, RELEASE_SENSOR) == []
        reborn.land(name_of("2025-03-04"), survey_rows(3, seed=1))
        assert ranges(requests(reborn)) == [("2025-03-04", "2025-03-04")]


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
