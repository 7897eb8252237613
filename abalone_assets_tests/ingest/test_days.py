from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest import days
from abalone_assets.ingest.days import ParsedDays, parse_days
from abalone_assets.ingest.earlier import Earlier
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.frames import QUARANTINE_SCHEMA, SURVEY_SCHEMA, to_parquet
from abalone_assets.ingest.landing_zone import LandedFile
from abalone_assets.ingest.memory import Growing, Memory, Patience
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import day_digest
from abalone_assets.lake.manifest_store import commit_days, read_manifest
from abalone_assets.sample_data import surveys
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import SURVEYS, FileKind
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

MONDAY, TUESDAY, WEDNESDAY = "2025-03-03", "2025-03-04", "2025-03-05"
FIRST, SECOND, THIRD = (f"abalone.20250303{hour}0000" for hour in (10, 11, 12))
BAD_ROW = b"M,0.455,0.365,0,0.514,0.2245,0.101,0.15,15\n"


@pytest.fixture
def zone(tmp_path: Path) -> FolderLandingZone:
    return FolderLandingZone(tmp_path)


def test_every_record_of_the_bundled_surveys_is_a_row_or_quarantined(
    zone: FolderLandingZone,
) -> None:
    records: dict[str, int] = {}
    for survey in surveys():
        data = survey.read_bytes()
        zone.land(survey.name, data)
        digits = survey.name.removeprefix("abalone.")
        day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
        lines = [line for line in data.splitlines() if line.strip()]
        records[day] = records.get(day, 0) + len(lines) - lines[0].lower().startswith(b"sex")
    assert len(records) > 1
    for day, count in records.items():
        parsed = parse_days(zone, [day]).days[day]
        assert len(parsed.rows) + len(parsed.quarantined) == count


def test_rows_keep_the_order_of_the_files_and_say_where_they_were_written(
    zone: FolderLandingZone,
) -> None:
    zone.land(SECOND, survey_rows(1))
    zone.land(FIRST, b"\n" + survey_rows(1) + BAD_ROW + survey_rows(1, seed=1))
    parsed = parse_days(zone, [MONDAY]).days[MONDAY]
    assert parsed.rows.select("source_file", "line").rows() == [(FIRST, 2), (FIRST, 4), (SECOND, 1)]
    assert parsed.rows.schema == SURVEY_SCHEMA
    assert parsed.quarantined.select("source_file", "line", "column", "raw").rows() == [
        (FIRST, 3, "height", BAD_ROW.decode().rstrip())
    ]


def test_a_file_is_a_simulation_by_its_bytes_whatever_its_name(zone: FolderLandingZone) -> None:
    simulated = survey_rows(3, seed=1)
    zone.land(FIRST, survey_rows(2))
    zone.land(SECOND, simulated)
    zone.land(THIRD, simulated + survey_rows(1))
    digest = hashlib.sha256(simulated).hexdigest()
    parsed = parse_days(zone, [MONDAY], synthetic=lambda: [digest]).days[MONDAY]
    assert parsed.rows.group_by("source_file", "origin", maintain_order=True).len().rows() == [
        (FIRST, "surveyed", 2),
        (SECOND, "synthetic", 3),
        (THIRD, "surveyed", 4),
    ]
    assert [file.origin for file in parsed.entry.files] == ["surveyed", "synthetic", "surveyed"]
    assert parsed.entry.synthetic_rows == 3


def test_a_bundled_survey_is_example_data_and_no_simulation(zone: FolderLandingZone) -> None:
    zone.land(FIRST, surveys()[2].read_bytes())
    zone.land(SECOND, survey_rows(2))
    parsed = parse_days(zone, [MONDAY]).days[MONDAY]
    assert parsed.rows.group_by("source_file", "origin", maintain_order=True).len().rows() == [
        (FIRST, "example", 64),
        (SECOND, "surveyed", 2),
    ]
    assert parsed.entry.synthetic_rows == 0


def test_a_simulation_that_lands_while_the_zone_is_listed_is_known_as_one(
    tmp_path: Path,
) -> None:
    # Asked for before the listing, the ledger would not have it, and its rows would be evidence.
    simulated = survey_rows(3)
    recorded: list[str] = []

    class Busy(FolderLandingZone):
        def list_files(
            self, since: date | None = None, kind: FileKind = SURVEYS
        ) -> Iterator[LandedFile]:
            recorded.append(hashlib.sha256(simulated).hexdigest())
            self.land(FIRST, simulated)
            return super().list_files(since, kind)

    parsed = parse_days(Busy(tmp_path), [MONDAY], synthetic=lambda: list(recorded))
    assert parsed.days[MONDAY].entry.synthetic_rows == 3


def test_a_day_without_files_has_empty_frames_of_the_same_schema(zone: FolderLandingZone) -> None:
    parsed = parse_days(zone, [MONDAY]).days[MONDAY]
    assert (len(parsed.rows), len(parsed.quarantined)) == (0, 0)
    assert (parsed.rows.schema, parsed.quarantined.schema) == (SURVEY_SCHEMA, QUARANTINE_SCHEMA)
    assert parsed.entry.files == ()
    assert parsed.entry.digest == day_digest([])


def test_each_record_of_each_file_of_each_day_is_a_row_or_quarantined(
    zone: FolderLandingZone,
) -> None:
    zone.land(FIRST, survey_rows(5) + BAD_ROW)
    zone.land(SECOND, survey_rows(7, seed=1) + BAD_ROW * 2)
    zone.land("abalone.20250305000000", survey_rows(3))
    for other in ("abalone.20250306000000", "abalone.20250302235959"):
        zone.land(other, survey_rows(4))
    parsed = parse_days(zone, [MONDAY, TUESDAY, WEDNESDAY])
    for frames, counts in ((parsed.rows, [12, 0, 3]), (parsed.quarantined, [3, 0, 0])):
        assert {day: len(frame) for day, frame in frames.items()} == dict(
            zip([MONDAY, TUESDAY, WEDNESDAY], counts, strict=True)
        )
    assert parsed.records == 18
    entry = parsed.entries[MONDAY]
    assert [(file.name, file.rows, file.quarantined) for file in entry.files] == [
        (FIRST, 5, 1),
        (SECOND, 7, 2),
    ]
    assert entry.digest == day_digest(entry.files)


@pytest.mark.parametrize("junk", [b"\xff\xfe\x00", b"PK\x03\x04\x00", b"M;1;2\n" * 3])
def test_a_file_that_is_no_survey_is_recorded_with_its_problem_and_blocks_nobody(
    zone: FolderLandingZone, junk: bytes
) -> None:
    zone.land(FIRST, survey_rows(2))
    zone.land(SECOND, junk)
    zone.land(THIRD, survey_rows(3, seed=1))
    parsed = parse_days(zone, [MONDAY]).days[MONDAY]
    first, refused, third = parsed.entry.files
    assert len(parsed.rows) == 5
    assert (refused.rows, refused.quarantined, refused.size) == (0, 0, len(junk))
    assert refused.problem
    assert refused.sha256 == hashlib.sha256(junk).hexdigest()
    assert first.problem is third.problem is None


def test_what_was_mended_or_is_odd_about_a_file_stays_with_it(
    zone: FolderLandingZone, tmp_path: Path
) -> None:
    zone.land(FIRST, survey_rows(3).replace(b"M,", b"m,").rstrip())
    zone.land(SECOND, survey_rows(3, seed=1))
    entry = parse_days(zone, [MONDAY]).entries[MONDAY]
    mended, plain = entry.files
    assert "1 row with the sex in lower case" in mended.notes[0]
    assert "if the file was cut short" in mended.notes[1]
    assert plain.notes == ()
    store = ObjectStore(tmp_path / "lake")
    commit_days(store, {MONDAY: entry})
    assert read_manifest(store).days[MONDAY] == entry


def test_a_file_that_is_bad_as_a_whole_adds_no_row(zone: FolderLandingZone) -> None:
    zone.land(FIRST, survey_rows(9) + BAD_ROW * 5)
    parsed = parse_days(zone, [MONDAY]).days[MONDAY]
    (refused,) = parsed.entry.files
    assert (len(parsed.rows), len(parsed.quarantined), parsed.records) == (0, 0, 0)
    assert "5 of 14 records break a rule" in str(refused.problem)


def test_a_file_that_is_too_large_is_recorded_and_never_read(
    zone: FolderLandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "MAX_FILE_BYTES", 1000)
    zone.land(FIRST, b"x" * 1001)
    zone.land(SECOND, survey_rows(2))
    (zone.folder / FIRST).chmod(0)
    read: list[str] = []

    class Watched(FolderLandingZone):
        def read(self, name: str) -> bytes:
            read.append(name)
            return super().read(name)

    parsed = parse_days(Watched(zone.folder), [MONDAY]).days[MONDAY]
    refused, kept = parsed.entry.files
    assert read == [SECOND]
    assert refused.problem == "1001 bytes are more than the 1000 that a survey may have"
    assert refused.sha256 == refused.e_tag
    assert kept.rows == len(parsed.rows) == 2


class Flaky(FolderLandingZone):
    """A landing zone that cannot read one file."""

    def read(self, name: str) -> bytes:
        if name == SECOND:
            raise StorageError(f"{name}: cannot read this survey: Input/output error")
        return super().read(name)


def test_a_file_that_cannot_be_read_is_its_own_problem_alone(zone: FolderLandingZone) -> None:
    zone.land(FIRST, survey_rows(1))
    zone.land(SECOND, survey_rows(1))
    parsed = parse_days(Flaky(zone.folder), [MONDAY]).days[MONDAY]
    first, second = parsed.entry.files
    assert (first.rows, first.problem, len(parsed.rows)) == (1, None, 1)
    assert (second.rows, second.e_tag) == (0, ""), "whatever lies there differs from it"
    assert "Input/output error; it is tried again" in str(second.problem)


class TestAFileThatWasIngestedBefore:
    @pytest.fixture
    def lake(self, zone: FolderLandingZone, tmp_path: Path) -> Lake:
        zone.folder = tmp_path / "zone"
        zone.folder.mkdir()
        zone.land(FIRST, survey_rows(2))
        zone.land(SECOND, survey_rows(3, seed=1) + BAD_ROW)
        lake = Lake(str(tmp_path / "lake"))
        self.write(lake, parse_days(zone, [MONDAY]))
        zone.land(FIRST, survey_rows(4))
        zone.land(SECOND, survey_rows(5, seed=2))
        zone.land(THIRD, survey_rows(6, seed=3))
        return lake

    def write(self, lake: Lake, parsed: ParsedDays) -> None:
        for asset, frames in (
            ("new_surveys", parsed.rows),
            ("quarantined_rows", parsed.quarantined),
        ):
            lake.store.write(lake.key(asset, MONDAY), to_parquet(frames[MONDAY]))
        commit_days(lake.store, parsed.entries)

    def earlier(self, lake: Lake, memory: Memory | None = None) -> Earlier:
        return Earlier(lake, lake.manifest(), memory or Memory(), Patience(settle_seconds=3))

    def counts(self, parsed: ParsedDays) -> list[tuple[str, int, int]]:
        day = parsed.days[MONDAY]
        assert len(day.rows) + len(day.quarantined) == day.records
        assert day.rows["source_file"].is_sorted()
        return [(file.name, file.rows, file.quarantined) for file in day.entry.files]

    def test_keeps_its_rows_while_it_cannot_be_read(
        self, zone: FolderLandingZone, lake: Lake
    ) -> None:
        parsed = parse_days(Flaky(zone.folder), [MONDAY], earlier=self.earlier(lake))
        assert self.counts(parsed) == [(FIRST, 4, 0), (SECOND, 3, 1), (THIRD, 6, 0)]
        second = parsed.entries[MONDAY].files[1]
        assert "it is tried again" in str(second.problem)
        self.write(lake, parsed)
        landing = zone.scan(date(2025, 1, 1), date(2025, 12, 31))
        assert find_due(landing, lake.manifest(), zone.read).days == (MONDAY,)
        rebuilt, fresh = parse_days(zone, [MONDAY], earlier=self.earlier(lake)), [MONDAY]
        assert rebuilt.rows[MONDAY].equals(parse_days(zone, fresh).rows[MONDAY])
        assert rebuilt.entries == parse_days(zone, fresh).entries

    @pytest.mark.parametrize("known", [True, False])
    def test_keeps_its_rows_while_it_is_written_and_a_new_one_waits(
        self, zone: FolderLandingZone, lake: Lake, *, known: bool
    ) -> None:
        name = SECOND if known else THIRD
        with (zone.folder / name).open("ab") as file:  # and so its times are those of a write
            file.write(b"M,0.4")
        growing = {name: Growing("other token", 0.0)}
        earlier = self.earlier(lake, Memory(growing=growing))
        parsed = parse_days(zone, [MONDAY], earlier=earlier)
        assert self.counts(parsed) == (
            [(FIRST, 4, 0), (SECOND, 3, 1), (THIRD, 6, 0)]
            if known
            else [(FIRST, 4, 0), (SECOND, 5, 0)]
        )

    def test_has_nothing_to_keep_when_the_lake_lost_it(
        self, zone: FolderLandingZone, lake: Lake
    ) -> None:
        lake.store.delete(lake.key("new_surveys", MONDAY))
        parsed = parse_days(Flaky(zone.folder), [MONDAY], earlier=self.earlier(lake))
        assert self.counts(parsed) == [(FIRST, 4, 0), (SECOND, 0, 0), (THIRD, 6, 0)]


def test_the_entry_describes_the_bytes_that_were_parsed_not_those_that_were_listed(
    zone: FolderLandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.land(FIRST, survey_rows(1))
    listed = tuple(zone.list_files())
    zone.land(FIRST, survey_rows(4))
    monkeypatch.setattr(zone, "list_files", lambda *_: iter(listed))
    parsed = parse_days(zone, [MONDAY]).days[MONDAY]
    (file,) = parsed.entry.files
    assert (file.rows, file.size, len(parsed.rows)) == (4, len(survey_rows(4)), 4)
    assert file.sha256 == hashlib.sha256(survey_rows(4)).hexdigest()
    assert file.e_tag == listed[0].e_tag  # so that the next look sees a rewritten file


def test_reports_its_progress_every_hundred_days(zone: FolderLandingZone) -> None:
    told: list[str] = []
    parse_days(
        zone, [date.fromordinal(738_000 + number).isoformat() for number in range(250)], told.append
    )
    assert [line.split(" survey")[0] for line in told] == [
        "parsed 100 of 250",
        "parsed 200 of 250",
    ]
