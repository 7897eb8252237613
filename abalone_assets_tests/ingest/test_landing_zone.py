from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest import tokens
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.landing_zone import LandingZone
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.s3_landing_zone import S3LandingZone
from abalone_assets.survey import ANIMALS

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, LAST = date(2025, 1, 1), date(2025, 3, 31)
NAME = "abalone.20250303120000"


@pytest.fixture(params=["folder", "s3"])
def zone(request: pytest.FixtureRequest, tmp_path: Path) -> LandingZone:
    """An empty landing zone in a folder and one on S3."""
    (tmp_path / "zone").mkdir()
    uri = request.getfixturevalue("s3") if request.param == "s3" else str(tmp_path / "zone")
    return open_landing_zone(uri)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def names(zone: LandingZone) -> list[str]:
    return sorted(file.name for file in zone.list_files())


def stray_problems(zone: LandingZone) -> dict[str, str]:
    return {stray.file.name: stray.problem for stray in zone.scan(FIRST, LAST).strays}


def test_opens_the_backing_that_the_uri_names(tmp_path: Path, s3: str) -> None:
    assert isinstance(open_landing_zone(str(tmp_path)), FolderLandingZone)
    assert isinstance(open_landing_zone(tmp_path.as_uri()), FolderLandingZone)
    assert isinstance(open_landing_zone(s3), S3LandingZone)
    assert open_landing_zone(s3).uri == s3


def test_a_landed_file_keeps_its_e_tag_until_it_is_landed_again(zone: LandingZone) -> None:
    zone.land(NAME, b"one")
    (before,) = zone.list_files()
    assert (before.name, before.size, zone.read(NAME)) == (NAME, 3, b"one")
    assert list(zone.list_files()) == [before]
    zone.land(NAME, b"two")
    (after,) = zone.list_files()
    assert (after.name, after.size, zone.read(NAME)) == (NAME, 3, b"two")
    assert after.e_tag != before.e_tag


def test_a_file_that_lies_there_is_not_replaced_unless_that_is_wanted(zone: LandingZone) -> None:
    zone.land(NAME, b"one", replace=False)
    with pytest.raises(FileExistsError):
        zone.land(NAME, b"two", replace=False)
    assert zone.read(NAME) == b"one"
    assert list(zone.list_names()) == [NAME]
    zone.land(NAME, b"two")
    assert zone.read(NAME) == b"two"


def test_nothing_is_replaced_on_a_file_system_without_links_either(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    zone = FolderLandingZone(folder)
    zone.land(NAME, b"one", replace=False)
    with pytest.raises(FileExistsError):
        zone.land(NAME, b"two", replace=False)
    assert zone.read(NAME) == b"one"
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_a_folder_of_ages_that_may_not_be_entered_is_one_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    zone = FolderLandingZone(folder)
    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(StorageError, match=f"Permission denied; let the platform read {folder}/ag"):
        zone.has_aged("animals.20250303120000")


class Locked:
    """What `os.scandir` gives of a folder that may be read and not entered."""

    name = NAME

    def stat(self, *, follow_symlinks: bool) -> None:
        raise PermissionError(13, "Permission denied", self.name, follow_symlinks)


def test_a_landing_zone_that_may_not_be_entered_is_one_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Entries(ExitStack):
        def __iter__(self) -> Iterator[Locked]:
            return iter([Locked()])

    monkeypatch.setattr(os, "scandir", lambda _: Entries())
    with pytest.raises(StorageError, match="cannot read the landing zone: Permission denied"):
        list(FolderLandingZone(folder).list_files())


def test_a_file_that_came_by_a_link_is_known_as_whole(folder: Path) -> None:
    zone = FolderLandingZone(folder)
    zone.land(NAME, b"one", replace=False)
    (file,) = zone.list_files()
    assert file.whole
    assert (folder / NAME).stat().st_nlink == 1


def test_a_file_is_found_by_its_name_as_a_listing_has_it(zone: LandingZone) -> None:
    zone.land(NAME, b"one")
    zone.land("notes.txt", b"two")
    assert zone.find(NAME) == next(each for each in zone.list_files() if each.name == NAME)
    assert zone.find("abalone.20250303120001") is None
    assert zone.find("notes.txt") is zone.find("../notes.txt") is None
    assert sorted(zone.list_names()) == [NAME, "notes.txt"]


def test_a_link_or_a_folder_of_a_surveys_name_is_no_file(folder: Path) -> None:
    (folder / NAME).symlink_to(folder / "elsewhere")
    (folder / "abalone.20250303120001").mkdir()
    zone = FolderLandingZone(folder)
    assert zone.find(NAME) is zone.find("abalone.20250303120001") is None


def test_reading_a_missing_file_names_it(zone: LandingZone) -> None:
    with pytest.raises(StorageError, match=f"{NAME}: "):
        zone.read(NAME)


def test_files_are_sorted_into_their_days_by_name(zone: LandingZone) -> None:
    landed = ["abalone.20250303120001", "abalone.20250303120000", "abalone.20250101000000"]
    for name in landed:
        zone.land(name, name.encode())
    days = zone.scan(FIRST, LAST).days
    assert {day: [file.name for file in files] for day, files in days.items()} == {
        "2025-01-01": [landed[2]],
        "2025-03-03": [landed[1], landed[0]],
    }


def test_files_of_the_same_second_are_told_apart_when_rewritten(folder: Path) -> None:
    zone = FolderLandingZone(folder)
    tags: set[str] = set()
    for data in (b"one", b"two", b"six"):
        (folder / NAME).write_bytes(data)
        os.utime(folder / NAME, ns=(1, len(tags) + 1))  # nanoseconds apart, within one second
        (file,) = zone.list_files()
        tags.add(file.e_tag)
    assert len(tags) == 3


def test_a_file_moved_over_another_of_its_age_and_size_is_told_apart(folder: Path) -> None:
    zone = FolderLandingZone(folder)
    for name in (NAME, ".new"):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, ns=(1, 1))
    (before,) = zone.list_files()
    (folder / ".new").replace(folder / NAME)
    (after,) = zone.list_files()
    assert after.e_tag != before.e_tag


def test_the_first_and_the_last_day_are_taken_in_their_neighbours_are_strays(
    zone: LandingZone,
) -> None:
    for day in ("20241231", "20250101", "20250331", "20250401"):
        zone.land(f"abalone.{day}120000", b"")
    assert list(zone.scan(FIRST, LAST).days) == ["2025-01-01", "2025-03-31"]
    problems = stray_problems(zone)
    assert set(problems) == {"abalone.20241231120000", "abalone.20250401120000"}
    assert "set ABALONE_FIRST_SURVEY_DAY" in problems["abalone.20241231120000"]
    assert "in the future" in problems["abalone.20250401120000"]


@pytest.mark.parametrize(
    "name",
    ["readme.txt", "abalone.2025", "abalone.20250230120000", "ABALONE.20250303120000", "a b"],
)
def test_a_name_that_is_no_surveys_is_a_stray_that_says_so(zone: LandingZone, name: str) -> None:
    zone.land(name, b"")
    zone.land(NAME, b"")
    assert list(zone.scan(FIRST, LAST).days) == ["2025-03-03"]
    assert name in stray_problems(zone)[name]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"abalone.20250303120000\n", r"abalone.20250303120000\n"),
        (b"\xff\xfe.csv", r"\udcff\udcfe.csv"),
        (b"red\x1b[31m", r"red\x1b[31m"),
        ("٢٠٢٥".encode(), "٢٠٢٥"),
        (b"'; drop table runs; --", "'; drop table runs; --"),
    ],
)
def test_an_odd_name_is_a_stray_in_printable_characters_and_stops_no_other(
    folder: Path, name: bytes, shown: str
) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).touch()
    zone = FolderLandingZone(folder)
    zone.land(NAME, b"")
    assert list(zone.scan(FIRST, LAST).days) == ["2025-03-03"]
    assert list(stray_problems(zone)) == [shown]
    shown.encode()


@pytest.mark.parametrize("written_as", [NAME, ".new"], ids=["in place", "by a rename"])
def test_a_correction_that_keeps_size_and_times_is_told_apart(
    folder: Path, written_as: str
) -> None:
    """As cp -p makes it, and rsync; neither can set the time of the last change."""
    zone, path = FolderLandingZone(folder), folder / NAME
    path.write_bytes(b"one")
    os.utime(path, (10**9, 10**9))
    (before,) = zone.list_files()
    (folder / written_as).write_bytes(b"two")
    os.utime(folder / written_as, (10**9, 10**9))
    (folder / written_as).replace(path)
    (after,) = zone.list_files()
    assert (after.size, after.written_at) == (before.size, before.written_at)
    assert after.e_tag != before.e_tag


class Stat(SimpleNamespace):
    """The status of a file on a file system whose clock counts in two seconds."""

    def __init__(self, written: int) -> None:
        times = {"st_mtime_ns": written * 10**9, "st_ctime_ns": written * 10**9}
        super().__init__(st_ino=1, st_size=3, **times)


def test_a_file_as_young_as_its_coarse_clock_gets_another_token_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FAT gives two writes within two seconds one time: the bytes must be compared once more."""
    now = 1_000_000
    monkeypatch.setattr(tokens, "time", SimpleNamespace(time_ns=lambda: now * 10**9))
    young = tokens.token_of(Stat(now))  # type: ignore[arg-type]
    now += 1
    assert tokens.token_of(Stat(now - 1)) == young  # type: ignore[arg-type]
    now += 1
    old = tokens.token_of(Stat(now - 2))  # type: ignore[arg-type]
    assert old != young
    now += 1000
    assert tokens.token_of(Stat(1_000_000)) == old  # type: ignore[arg-type]


def test_a_landed_or_moved_file_is_whole_and_one_that_is_written_in_place_is_not(
    folder: Path,
) -> None:
    zone = FolderLandingZone(folder)
    zone.land(NAME, b"one")
    (landed,) = zone.list_files()
    assert landed.whole
    with (folder / NAME).open("ab") as file:
        file.write(b"more")
    (written,) = zone.list_files()
    assert not written.whole
    assert abs(written.written_at - time.time()) < 60
    os.utime(folder / NAME, (10**9, 10**9))  # the last act of cp -p
    assert [file.whole for file in zone.list_files()] == [True]


def test_links_folders_and_devices_are_strays_with_their_problem(folder: Path) -> None:
    (folder / f".{NAME}").touch()
    (folder / NAME).mkdir()
    (folder / "march").mkdir()
    (folder / "abalone.20250304120000").symlink_to("/etc/hostname")
    (folder / "abalone.20250305120000").symlink_to("nowhere")
    os.mkfifo(folder / "abalone.20250306120000")
    zone = FolderLandingZone(folder)
    assert names(zone) == []
    assert zone.scan(FIRST, LAST).days == {}
    problems = {name: text.split(",")[0] for name, text in stray_problems(zone).items()}
    assert problems == {
        NAME: "a folder",
        "march": "a folder",
        "abalone.20250304120000": "a link",
        "abalone.20250305120000": "a link",
        "abalone.20250306120000": "no regular file but a device",
    }


def test_landing_leaves_nothing_beside_the_file(folder: Path) -> None:
    FolderLandingZone(folder).land(NAME, b"x")
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).stat().st_mode & 0o777 == 0o644


def test_nobody_sees_a_part_of_a_file_that_is_landing(folder: Path) -> None:
    zone, data = FolderLandingZone(folder), b"x" * 2**20

    def land_again_and_again() -> None:
        for _ in range(10):
            zone.land(NAME, data)

    writer = threading.Thread(target=land_again_and_again)
    writer.start()
    while writer.is_alive():
        for file in zone.list_files():
            assert (file.name, file.size) == (NAME, len(data))
            assert zone.read(file.name) == data
    writer.join()


@pytest.mark.parametrize("name", ["folder", "x" * 300, "no/such/folder"])
def test_a_failed_landing_is_one_clear_error_and_leaves_nothing(folder: Path, name: str) -> None:
    (folder / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot land this survey"):
        FolderLandingZone(folder).land(name, b"x")
    assert [path.name for path in folder.iterdir()] == ["folder"]


def test_a_folder_that_is_missing_is_one_clear_error_and_not_made(folder: Path) -> None:
    """Once an unmounted share became an empty landing zone, and every survey was "deleted"."""
    zone = open_landing_zone(str(folder / "zone"))
    with pytest.raises(StorageError, match="zone: cannot read the landing zone: No such file"):
        zone.scan(FIRST, LAST)


@pytest.mark.parametrize("since", [date(2025, 3, 2), date(2025, 1, 1)])
def test_s3_lists_only_the_survey_days_from_since_on(s3: str, since: date) -> None:
    zone = open_landing_zone(s3)
    before = f"abalone.{since - timedelta(days=1):%Y%m%d}235959"
    landed = [f"abalone.{since:%Y%m%d}{time}" for time in ("000000", "235959")]
    for name in (before, *landed, "abalone.20250303000000"):
        zone.land(name, b"")
    assert [file.name for file in zone.list_files(since)] == [*landed, "abalone.20250303000000"]


def test_a_look_since_a_day_says_nothing_of_the_days_before(zone: LandingZone) -> None:
    zone.land("abalone.20250101000000", b"")
    zone.land(NAME, b"")
    landing = zone.scan(FIRST, LAST, since=date(2025, 3, 1))
    assert (landing.first, list(landing.days), landing.strays) == ("2025-03-01", ["2025-03-03"], ())


def put_object(uri: str) -> None:
    """Put an empty object under a key that our own writer would refuse."""
    import boto3

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"")


@pytest.mark.parametrize("key", ["", f"/{NAME}", f"march/{NAME}", "../x", "./x", "a//b", ".hidden"])
def test_an_s3_key_that_is_no_landed_file_hides_no_other(s3: str, key: str) -> None:
    put_object(f"{s3}/{key}")
    zone = open_landing_zone(s3)
    zone.land(NAME, b"")
    assert names(zone) == [NAME]
    below = key.partition("/")[0] + "/" if "/" in key and not key.startswith(".") else None
    assert list(stray_problems(zone)) == ([below] if below else [])
    assert all("no object below" in problem for problem in stray_problems(zone).values())


def test_an_s3_prefix_below_is_one_stray_however_many_objects_it_has(s3: str) -> None:
    for number in range(3):
        put_object(f"{s3}/march/abalone.2025030312000{number}")
    assert list(stray_problems(open_landing_zone(s3))) == ["march/"]


def test_a_missing_bucket_is_one_clear_error(s3: str) -> None:
    with pytest.raises(StorageError, match=r"^s3://no-such-bucket/zone: there is no such bucket; "):
        open_landing_zone("s3://no-such-bucket/zone").scan(FIRST, LAST)


def test_files_since_a_day_are_of_one_kind(zone: LandingZone) -> None:
    animals = "animals.20250303120000"
    for name in (NAME, animals, "notes.txt"):
        zone.land(name, b"x")
    assert [file.name for file in zone.list_files(FIRST)] == [NAME]
    assert [file.name for file in zone.list_files(FIRST, ANIMALS)] == [animals]


def test_no_ages_lie_where_a_file_is_called_as_their_folder_would_be(folder: Path) -> None:
    zone = FolderLandingZone(folder)
    zone.land("aged", b"x")
    zone.remove_aged("animals.20250303120000")
    assert zone.read("aged") == b"x"
