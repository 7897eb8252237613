"""A file that is written anew has another token, whatever its size and its times."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from abalone_assets.ingest import tokens
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets_tests.ingest.landing_zone_support import NAME

if TYPE_CHECKING:
    from pathlib import Path


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
