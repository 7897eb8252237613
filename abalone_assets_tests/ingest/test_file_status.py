"""What became of each survey file."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.landed_files import SurveyFiles
from abalone_assets.ingest.landed_names import LandedNames
from abalone_assets.ingest.memory import Growing, Memory, Patience, Unreadable, write_memory
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedDay
from abalone_assets.lake.manifest_store import commit_days, revoke_days
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import GOOD_ROW, ingest
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path

NAME = "abalone.20250314061500"
DAY = "2025-03-14"


@pytest.fixture
def zone(home: Path) -> FolderLandingZone:
    return FolderLandingZone(home / "landing_zone")


def lake_of(home: Path) -> Lake:
    return Lake(str(home / "lake"))


def look() -> SurveyFiles:
    return SurveyFiles.of(load_settings())


def state(name: str = NAME) -> str:
    return look().file(name).state


def remember(home: Path, **memory: object) -> None:
    write_memory(lake_of(home).store, replace(Memory(), **memory))  # type: ignore[arg-type]


def test_a_file_is_due_then_ingested_with_its_counts(home: Path, zone: FolderLandingZone) -> None:
    zone.land(NAME, (GOOD_ROW + "X,1\n").encode())
    assert state() == "to_ingest"
    ingest(home, DAY)
    found = look().file(NAME)
    assert (found.state, found.day, found.rows, found.quarantined) == ("ingested", DAY, 1, 1)
    assert found.landed_at is not None
    assert abs(found.landed_at - datetime.now(UTC)) < timedelta(hours=1)


def test_a_file_without_a_row_that_could_be_used_says_so(
    home: Path, zone: FolderLandingZone
) -> None:
    zone.land(NAME, b"X,1\n")
    ingest(home, DAY)
    found = look().file(NAME)
    assert (found.state, found.why) == ("ingested", "none of its rows could be used")


def test_a_file_that_was_written_again_is_changed_unless_its_bytes_are_the_same(
    home: Path, zone: FolderLandingZone
) -> None:
    zone.land(NAME, GOOD_ROW.encode())
    ingest(home, DAY)
    zone.land(NAME, GOOD_ROW.encode())
    assert state() == "ingested"
    zone.land(NAME, GOOD_ROW.replace("M", "F").encode())
    assert state() == "changed"


def test_a_file_that_is_no_survey_tells_why(home: Path, zone: FolderLandingZone) -> None:
    zone.land(NAME, b"\0")
    ingest(home, DAY)
    found = look().file(NAME)
    assert found.state == "refused"
    assert "NUL byte" in found.why


def test_a_held_file_tells_why_and_how_many_rows_wait(home: Path, zone: FolderLandingZone) -> None:
    rows = survey_rows(30).decode().splitlines()
    kilograms = [line.split(",") for line in rows]
    shrunk = [
        ",".join([*row[:4], *(f"{float(w) / 5:.4f}" for w in row[4:8]), row[8]])
        for row in kilograms
    ]
    zone.land(NAME, "\n".join(shrunk).encode())
    ingest(home, DAY)
    found = look().file(NAME)
    assert (found.state, found.rows) == ("held", 0)
    assert "kilograms" in found.why
    assert found.to_document()["held_rows"] == 30


def test_a_file_that_still_grows_or_cannot_be_read_waits(
    home: Path, zone: FolderLandingZone
) -> None:
    (zone.folder / NAME).write_text(GOOD_ROW)
    landed = zone.find(NAME)
    assert landed is not None
    remember(home, growing={NAME: Growing(landed.e_tag, time.time())})
    assert state() == "growing"
    remember(home, unreadable={NAME: Unreadable(landed.e_tag, "permission denied", 1, 2.0)})
    assert state() == "unreadable"
    assert look().file(NAME).why.startswith("permission denied")


def test_a_file_of_the_future_waits_for_its_day(zone: FolderLandingZone) -> None:
    zone.land("abalone.20990314061500", GOOD_ROW.encode())
    found = look().file("abalone.20990314061500")
    assert (found.state, found.day) == ("waits", "2099-03-14")
    assert "in the future" in found.why


def test_a_file_of_before_the_first_day_and_one_of_no_day_are_strays(
    zone: FolderLandingZone,
) -> None:
    zone.land("abalone.19990314061500", GOOD_ROW.encode())
    zone.land("notes<b>.txt", b"hello")
    assert state("abalone.19990314061500") == "stray"
    found = look().file("notes<b>.txt")
    assert (found.state, found.day) == ("stray", None)
    assert "YYYYMMDDHHMMSS" in found.why
    assert [each.name for each in look().strays(5)[0]] == ["notes<b>.txt"]


def test_a_day_that_is_being_written_says_so(home: Path, zone: FolderLandingZone) -> None:
    zone.land(NAME, GOOD_ROW.encode())
    ingest(home, DAY)
    revoke_days(lake_of(home).store, [DAY])
    assert state() == "being_ingested"


def test_a_deleted_file_is_gone_unless_its_whole_day_is_not_believed(
    home: Path, zone: FolderLandingZone
) -> None:
    later = ["2025-03-15", "2025-03-16"]
    for day in (DAY, *later):
        zone.land(f"abalone.{day.replace('-', '')}061500", GOOD_ROW.encode())
        ingest(home, day)
    (zone.folder / NAME).unlink()
    assert state() == "gone"
    remember(home, missing=(DAY,))
    assert state() == "missing"
    assert look().file(NAME).rows == 1


def test_a_landing_zone_that_went_away_is_known_before_a_sensor_looks(
    home: Path, zone: FolderLandingZone
) -> None:
    """Where none drives the sensors, a file that the lake keeps was said to be taken out next."""
    zone.land(NAME, GOOD_ROW.encode())
    ingest(home, DAY)
    (zone.folder / NAME).unlink()
    assert state() == "missing"
    assert [file.state for file in look().day(date.fromisoformat(DAY))] == ["missing"]
    assert [file.state for file in look().page(3).files] == ["missing"]


@pytest.mark.parametrize("name", [NAME, "notes.txt", "../../etc/passwd"])
def test_a_file_that_is_nowhere_is_an_error_that_names_the_place(
    zone: FolderLandingZone, name: str
) -> None:
    with pytest.raises(SurveyError, match=f"no such file is in {zone.uri}"):
        look().file(name)


def test_a_day_has_the_files_of_both_landing_zone_and_lake(
    home: Path, zone: FolderLandingZone
) -> None:
    zone.land(NAME, GOOD_ROW.encode())
    zone.land(f"{NAME}.csv", GOOD_ROW.encode())
    ingest(home, DAY)
    (zone.folder / NAME).unlink()
    zone.land("abalone.20250314061501", GOOD_ROW.encode())
    found = look().day(date(2025, 3, 14))
    assert [(each.name, each.state) for each in found] == [
        (NAME, "gone"),
        ("abalone.20250314061501", "to_ingest"),
    ]


def many(zone: FolderLandingZone, days: int, files: int) -> list[str]:
    """Files on as many days, landed; their names, newest first."""
    first = datetime(2025, 1, 1, 6, tzinfo=UTC)
    names = [
        f"abalone.{first + timedelta(days=day, seconds=second):%Y%m%d%H%M%S}"
        for day in range(days)
        for second in range(files)
    ]
    for name in names:
        (zone.folder / name).write_text(GOOD_ROW)
    return names[::-1]


def test_pages_have_every_file_once_the_newest_first(zone: FolderLandingZone) -> None:
    names, files = many(zone, 5, 3), look()
    (zone.folder / "abalone.20250102055959").mkdir()
    shown, before = list[str](), None
    for _ in range(4):
        page = files.page(4, before=before)
        shown += [file.name for file in page.files]
        before = page.older
    assert shown == names
    assert before is None


def test_a_page_of_exactly_all_files_is_the_last_one(zone: FolderLandingZone) -> None:
    many(zone, 2, 2)
    assert look().page(4).older is None


def test_a_page_asks_only_for_what_it_shows(
    home: Path, zone: FolderLandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(zone, 30, 3)
    names = LandedNames(zone)
    SurveyFiles.of(load_settings(), names).page(3)
    looked_at = list[str]()
    find = FolderLandingZone.find

    def counted(self: FolderLandingZone, name: str) -> object:
        looked_at.append(name)
        return find(self, name)

    monkeypatch.setattr(FolderLandingZone, "find", counted)
    monkeypatch.setattr(FolderLandingZone, "list_names", lambda _: pytest.fail("listed again"))
    assert len(SurveyFiles.of(load_settings(), names).page(3).files) == 3
    assert len(looked_at) == 4  # one more, to know whether there is a next page


def test_names_are_listed_again_when_a_file_arrives(zone: FolderLandingZone) -> None:
    names = LandedNames(zone)
    assert SurveyFiles.of(load_settings(), names).page(3).files == []
    zone.land(NAME, GOOD_ROW.encode())
    os.utime(zone.folder, ns=(1, 1))  # whatever the file system's clock counts in
    assert [each.name for each in SurveyFiles.of(load_settings(), names).page(3).files] == [NAME]


def test_names_that_come_and_go_are_those_that_a_new_listing_finds(
    zone: FolderLandingZone,
) -> None:
    names = LandedNames(zone)
    steps = [
        {NAME, "notes.txt"},
        {NAME, "abalone.20250314061501", "notes.txt", "other.txt"},
        {"abalone.20250314061501", "other.txt"},
        {"abalone.20250401061500"},
        set(),
    ]
    for number, wanted in enumerate(steps):
        for path in zone.folder.iterdir():
            if path.name not in wanted:
                path.unlink()
        for name in wanted:
            (zone.folder / name).touch()
        os.utime(zone.folder, ns=(number, number))
        assert names.sorted() == LandedNames(zone).sorted()
        surveys = {name for day in names.sorted().days.values() for name in day}
        assert surveys | {*names.sorted().others} == wanted


def test_the_remarkable_files_are_those_with_something_to_read(
    home: Path, zone: FolderLandingZone
) -> None:
    contents = {
        "abalone.20250311060000": GOOD_ROW,
        "abalone.20250312060000": GOOD_ROW + "X,1\n",
        "abalone.20250313060000": "\0",
        "abalone.20250314060000": GOOD_ROW,
        "abalone.20250314060001": GOOD_ROW.strip(),
    }
    for name, content in contents.items():
        zone.land(name, content.encode())
    for day in range(11, 15):
        ingest(home, f"2025-03-{day}")
    assert [each.name[-9:] for each in look().page(9, remarkable=True).files] == [
        "314060001",
        "313060000",
        "312060000",
    ]


def test_days_without_files_are_on_no_page(home: Path) -> None:
    commit_days(lake_of(home).store, {DAY: IngestedDay("d")})
    assert look().page(3).files == []


def test_a_landing_zone_that_went_away_is_told(home: Path, zone: FolderLandingZone) -> None:
    zone.folder.rmdir()
    with pytest.raises(StorageError, match="cannot read the landing zone"):
        look().page(3)


def test_patience_is_that_of_the_settings(
    home: Path, zone: FolderLandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    (zone.folder / NAME).write_text(GOOD_ROW)
    landed = zone.find(NAME)
    assert landed is not None
    remember(home, growing={NAME: Growing(landed.e_tag, time.time() - 60)})
    assert state() == "to_ingest"
    monkeypatch.setenv("ABALONE_SETTLE_SECONDS", "3600")
    assert state() == "growing"
    assert Patience().settle_seconds == 0
