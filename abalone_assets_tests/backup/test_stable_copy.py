"""Copies of folders in which others write."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abalone_assets.backup.stable_copy import PASSES, Copy, UnreadableError
from abalone_assets.errors import StorageError
from abalone_assets_tests.backup.rotten import refuse

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A record, and the objects that it names."""
    (tmp_path / "lake/a").mkdir(parents=True)
    for name in ("a/one", "a/two", "record"):
        (tmp_path / "lake" / name).write_text("first")
    return tmp_path / "lake"


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def while_copying(patch: pytest.MonkeyPatch, what: Callable[[], object], *, times: int) -> None:
    """Let others do something right after each of the first files was copied."""
    take, left = Copy.take, [what] * times

    def taken(copy: Copy, name: str, temporary: Path) -> None:
        take(copy, name, temporary)
        if left:
            left.pop()()

    patch.setattr(Copy, "take", taken)


def test_a_copy_is_of_one_moment_whatever_is_written_meanwhile(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_all() -> None:
        (source / "record").unlink()
        for name in ("a/one", "a/three", "record"):
            (source / name).write_text("later")
        (source / "a/two").unlink(missing_ok=True)

    while_copying(monkeypatch, write_all, times=1)
    copy = Copy(tmp_path / "copy")
    copy.add_folders({"lake": source})
    assert contents(tmp_path / "copy/lake") == contents(source)
    assert copy.digests.keys() == {"lake/a/one", "lake/a/three", "lake/record"}
    assert set(copy.digests.values()) == {hashlib.sha256(b"later").hexdigest()}
    assert copy.sizes == dict.fromkeys(copy.digests, 5)


def test_what_was_copied_and_is_deleted_meanwhile_is_not_in_the_copy(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Copy(tmp_path / "copy")

    def delete_what_is_copied() -> None:
        if len(copy.digests) == 3:
            (source / "a/two").unlink()

    while_copying(monkeypatch, delete_what_is_copied, times=3)
    copy.add_folders({"lake": source})
    assert contents(tmp_path / "copy/lake").keys() == {"a/one", "record"}
    assert copy.digests.keys() == copy.sizes.keys() == {"lake/a/one", "lake/record"}


def test_a_file_that_is_written_again_with_size_and_time_as_before_is_copied_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Copy(tmp_path / "copy")

    def write_what_is_copied() -> None:
        if len(copy.digests) == 3:
            before = (source / "a/one").stat()
            (source / "a/one").write_text("other")
            os.utime(source / "a/one", ns=(before.st_atime_ns, before.st_mtime_ns))

    while_copying(monkeypatch, write_what_is_copied, times=3)
    copy.add_folders({"lake": source})
    assert contents(tmp_path / "copy/lake")["a/one"] == "other"


def test_where_writes_never_end_it_gives_up(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(10 * PASSES))
    while_copying(
        monkeypatch, lambda: (source / "record").write_text(str(next(numbers))), times=10 * PASSES
    )
    with pytest.raises(StorageError, match="faster than it can be copied"):
        Copy(tmp_path / "copy").add_folders({"lake": source})


def test_what_a_store_is_writing_is_no_part_of_it(source: Path, tmp_path: Path) -> None:
    (source / "_staged").mkdir()
    for name in ("_staged/x", "a/four#1", "a/link"):
        (source / name).write_text("half")
    (source / "a/link").unlink()
    (source / "a/link").symlink_to(source / "record")
    Copy(tmp_path / "copy").add_folders({"lake": source})
    assert contents(tmp_path / "copy/lake").keys() == {"a/one", "a/two", "record"}
    Copy(tmp_path / "surveys").add_folders({"landing_zone": source}, all_files=True)
    assert contents(tmp_path / "surveys").keys() >= {"landing_zone/a/four#1"}


def test_equal_files_of_an_earlier_copy_are_shared_and_others_are_not(
    source: Path, tmp_path: Path
) -> None:
    first = Copy(tmp_path / "first")
    first.add_folders({"lake": source})
    (source / "record").write_text("later")
    second = Copy(tmp_path / "second", first.folder, first.digests)
    second.add_folders({"lake": source})
    same = {
        name: (tmp_path / "first" / name).samefile(tmp_path / "second" / name)
        for name in second.digests
    }
    assert same == {"lake/a/one": True, "lake/a/two": True, "lake/record": False}
    assert (tmp_path / "first/lake/record").read_text() == "first"


def test_where_there_are_no_hard_links_equal_files_are_copied(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    first = Copy(tmp_path / "first")
    first.add_folders({"lake": source})
    second = Copy(tmp_path / "second", first.folder, first.digests)
    second.add_folders({"lake": source})
    assert second.digests == first.digests
    assert (second.folder / "lake/record").read_text() == "first"
    assert sorted(path.name for path in (second.folder / "lake").iterdir()) == ["a", "record"]


def test_others_may_not_read_a_copy(source: Path, tmp_path: Path) -> None:
    (source / "record").chmod(0o644)
    Copy(tmp_path / "copy").add_folders({"lake": source})
    assert (tmp_path / "copy/lake/record").stat().st_mode & 0o077 == 0


def test_a_link_that_takes_a_files_place_is_not_followed(source: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("of somebody else")
    elsewhere.chmod(0o644)
    (source / "record").unlink()
    (source / "record").symlink_to(elsewhere)
    copy = Copy(tmp_path / "copy")
    copy.add_file("record", source / "record")
    assert elsewhere.stat().st_mode & 0o777 == 0o644
    assert copy.digests == {}
    assert list((tmp_path / "copy").iterdir()) == []


@pytest.mark.parametrize(("function", "name"), [("open", "a/one"), ("scandir", "a")])
def test_what_cannot_be_read_is_never_left_out_in_silence(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, name: str
) -> None:
    refuse(monkeypatch, function, source / name)
    with pytest.raises(UnreadableError, match=f"{source / name}: cannot be read .Input/output err"):
        Copy(tmp_path / "whole").add_folders({"lake": source})
    copy = Copy(tmp_path / "partly")
    copy.add_folders({"landing_zone": source}, partly=True)
    assert copy.missing == {f"landing_zone/{name}": "Input/output error"}
    assert "landing_zone/record" in copy.digests
    assert "landing_zone/a/one" not in copy.digests
    assert not (copy.folder / "landing_zone/a/one").exists()


def test_what_can_be_read_again_is_not_missing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        refuse(broken, "open", source / "a/one")

        def mend() -> None:
            broken.undo()
            (source / "a/one").write_text("later")

        while_copying(broken, mend, times=1)
        copy = Copy(tmp_path / "copy")
        copy.add_folders({"landing_zone": source}, partly=True)
    assert copy.missing == {}
    assert contents(copy.folder / "landing_zone") == contents(source)


def test_a_folder_that_goes_away_amid_the_copy_is_no_empty_one(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    while_copying(monkeypatch, lambda: source.rename(tmp_path / "away"), times=1)
    with pytest.raises(UnreadableError, match="No such file or directory"):
        Copy(tmp_path / "copy").add_folders({"landing_zone": source}, partly=True)


def test_one_that_is_not_there_yet_is_empty_and_may_appear(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = tmp_path / "registry"

    def register() -> None:
        registry.mkdir()
        (registry / "version").write_text("1")

    while_copying(monkeypatch, register, times=1)
    copy = Copy(tmp_path / "copy")
    copy.add_folders({"lake": source, "registry": registry})
    assert "registry/version" in copy.digests


def test_a_file_that_rotted_in_the_copy_before_is_not_shared(source: Path, tmp_path: Path) -> None:
    first = Copy(tmp_path / "first")
    first.add_folders({"lake": source})
    (first.folder / "lake/record").write_text("f!rst")
    second = Copy(tmp_path / "second", first.folder, first.digests)
    second.add_folders({"lake": source})
    assert contents(second.folder / "lake") == contents(source)
    assert (second.folder / "lake/a/one").samefile(first.folder / "lake/a/one")


def test_one_that_cannot_be_read_there_is_not_shared_either(source: Path, tmp_path: Path) -> None:
    first = Copy(tmp_path / "first")
    first.add_folders({"lake": source})
    (first.folder / "lake/record").unlink()
    (first.folder / "lake/record").symlink_to("/proc/self/mem")  # a file that gives EIO
    second = Copy(tmp_path / "second", first.folder, first.digests)
    second.add_folders({"lake": source})
    assert contents(second.folder / "lake") == contents(source)


def test_it_tells_how_many_files_it_has(source: Path, tmp_path: Path) -> None:
    told: list[int] = []
    Copy(tmp_path / "copy", tell=told.append).add_folders({"lake": source})
    assert told == [1, 2, 3]
