"""A landing zone in a folder: links, devices, odd names, and files that are half-written."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets_tests.ingest.landing_zone_support import (
    FIRST,
    LAST,
    NAME,
    names,
    stray_problems,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def test_a_link_or_a_folder_of_a_surveys_name_is_no_file(folder: Path) -> None:
    (folder / NAME).symlink_to(folder / "elsewhere")
    (folder / "abalone.20250303120001").mkdir()
    zone = FolderLandingZone(folder)
    assert zone.find(NAME) is zone.find("abalone.20250303120001") is None


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
