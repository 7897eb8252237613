"""The landing zone in a folder."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.ingest import folder_watch
from abalone_assets.ingest.landing_zone import (
    AGED,
    PIECE_BYTES,
    LandedFile,
    LandingZone,
    StrayFile,
    aged_key,
    printable,
    write_pieces,
)
from abalone_assets.ingest.tokens import token_of
from abalone_assets.lake.leftovers import own_leftovers, staged_beside
from abalone_assets.survey import SURVEYS, FileKind, landed_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

WHOLE_AFTER_NS: Final = 10**9
"""A file whose status changed this long after its last write was finished, then moved here."""


class FolderLandingZone(LandingZone):
    """A folder. Read entry by entry, so that no name a crew can think of stops the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = str(folder)

    def list_files(
        self, since: date | None = None, kind: FileKind = SURVEYS
    ) -> Iterator[LandedFile]:
        """The regular files; hidden ones are uploads under way.

        Raises:
            StorageError: The folder is gone, or cannot be read.
        """
        if since is None:
            return self._files()
        first, prefix = kind.prefix_of(since), kind.prefix
        return self._files(lambda name: name >= first and name.startswith(prefix))

    def list_day(self, day: date, kind: FileKind = SURVEYS) -> Iterator[LandedFile]:
        """The regular files whose names begin as those of a day do.

        Raises:
            StorageError: The folder is gone, or cannot be read.
        """
        prefix = kind.prefix_of(day)
        return self._files(lambda name: name.startswith(prefix))

    def find(self, name: str) -> LandedFile | None:
        """The file of this name, without a look at the others."""
        try:
            landed_day(name)
            found = (self.folder / name).lstat()
        except (SurveyError, FileNotFoundError):
            return None
        except OSError as error:
            raise _unreadable(self.folder, error) from error
        return _landed(name, found) if stat.S_ISREG(found.st_mode) else None

    def list_names(self) -> Iterator[str]:
        """The names of what lies here, as the folder alone tells them.

        Raises:
            StorageError: The folder is gone, or cannot be read.
        """
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - paths would cost ten times as much
        except OSError as error:
            raise _unreadable(self.folder, error) from error
        return (printable(name) for name in names if not name.startswith(".") and name != AGED)

    def change_token(self) -> str | None:
        """What the kernel tells of the folder: see `folder_watch.change_token`."""
        return folder_watch.change_token(self.folder)

    def list_oddities(self) -> Iterator[StrayFile]:
        """Links, folders and devices.

        Raises:
            StorageError: The folder is gone, or cannot be read.
        """
        for entry, found in self._entries():
            if entry.name == AGED and stat.S_ISDIR(found.st_mode):
                continue
            if not stat.S_ISREG(found.st_mode):
                file = LandedFile(printable(entry.name), found.st_size, token_of(found))
                yield StrayFile(file, _oddity(found.st_mode))

    def _files(self, wanted: Callable[[str], bool] = bool) -> Iterator[LandedFile]:
        for entry, found in self._entries(wanted):
            if stat.S_ISREG(found.st_mode):
                yield _landed(entry.name, found)

    def _entries(
        self, wanted: Callable[[str], bool] = bool
    ) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
        """What lies in the folder, of the names that are wanted; the others cost nothing."""
        try:
            entries = os.scandir(self.folder)
        except OSError as error:
            raise _unreadable(self.folder, error) from error
        with entries:
            for entry in entries:
                if entry.name.startswith(".") or not wanted(entry.name):
                    continue
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # deleted since the folder was read
                    continue
                except OSError as error:  # a folder may be listed, and yet not be entered
                    raise _unreadable(self.folder, error) from error
                yield entry, found

    def sign(self) -> str | None:
        """The folder's own time of change; that of a file which is written in place is not."""
        try:
            return str(self.folder.stat().st_mtime_ns)
        except OSError:
            return "gone"  # which is for a listing to report

    def read(self, name: str) -> bytes:
        """One file's bytes."""
        path = self.folder / name
        with _refusals(path, "cannot read this survey"):
            return path.read_bytes()

    def download(self, name: str, target: Path) -> str:
        """Copy one file, a piece at a time."""
        path = self.folder / name
        with _refusals(path, "cannot read this file"), path.open("rb") as file:
            return write_pieces(_pieces_of(file), target)

    def land(self, name: str, data: bytes, *, replace: bool = True) -> None:
        """Write to a hidden name beside it, then rename, or link where nothing may be replaced.

        Its time of writing is set back a little, by which `list_files` knows that it came whole.

        Raises:
            FileExistsError: A file of this name is there, and may not be replaced.
            StorageError: The folder takes no file of this name.
        """
        try:
            temporary = staged_beside(self.folder / name)
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.chmod(0o644)
                now = temporary.stat().st_mtime_ns
                os.utime(temporary, ns=(now, now - 2 * WHOLE_AFTER_NS))
                if replace:
                    temporary.replace(self.folder / name)
                else:
                    _move_to_new(temporary, self.folder / name)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except FileExistsError:
            raise
        except OSError as error:
            raise StorageError(f"{self.folder / name}: cannot land this survey: {error}") from error

    def write_aged(self, name: str, ages: Path) -> None:
        """Copy to a hidden name in the folder ``aged``, then rename.

        Raises:
            StorageError: The folder takes no such file.
        """
        target = self._aged(name)
        remedy = f"let the platform write into {target.parent}"
        with _refusals(target, "cannot write these ages", remedy):
            target.parent.mkdir(exist_ok=True)
            temporary = staged_beside(target)
            for leftover in own_leftovers(target.parent):  # of a process that was killed
                with suppress(OSError):  # another user's
                    leftover.unlink(missing_ok=True)
            try:
                shutil.copyfile(ages, temporary)
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def has_aged(self, name: str) -> bool:
        """Whether the CSV lies there.

        Raises:
            StorageError: The folder ``aged`` may not be entered.
        """
        path = self._aged(name)
        remedy = f"let the platform read {path.parent}"
        with _refusals(path, "cannot see whether these ages are there", remedy):
            return path.is_file()

    def read_aged(self, name: str) -> Iterator[bytes] | None:
        """The CSV's bytes, in pieces."""
        path = self._aged(name)
        with _refusals(path, "cannot be read"):
            try:
                return _pieces_of(path.open("rb"))
            except FileNotFoundError:
                return None

    def remove_aged(self, name: str) -> None:
        """Delete the CSV."""
        path = self._aged(name)
        with _refusals(path, "cannot be removed"), suppress(NotADirectoryError):
            path.unlink(missing_ok=True)  # where a file is called as the folder no ages lie

    def _aged(self, name: str) -> Path:
        return self.folder / aged_key(name)


def _move_to_new(temporary: Path, target: Path) -> None:
    """Rename a file to a name that nothing may have yet.

    Raises:
        FileExistsError: Something has it.
    """
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError as error:  # a file system without links, such as FAT's: as good as it gets
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        temporary.replace(target)
    else:
        temporary.unlink()


@contextmanager
def _refusals(place: Path, problem: str, remedy: str = "") -> Iterator[None]:
    """What the file system refuses, as a StorageError."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}; {remedy}" if remedy else error.strerror or error
        raise StorageError(f"{place}: {problem}: {reason}") from error


def _unreadable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{folder}: cannot read the landing zone: {error.strerror}; "
        "make this folder or set ABALONE_LANDING_ZONE_URI"
    )


def _landed(name: str, found: os.stat_result) -> LandedFile:
    return LandedFile(
        printable(name),
        found.st_size,
        token_of(found),
        written_at=found.st_mtime,
        whole=found.st_ctime_ns - found.st_mtime_ns >= WHOLE_AFTER_NS,
    )


def _oddity(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link, and links are not followed; copy the file itself here"
    if stat.S_ISDIR(mode):
        return "a folder, and nothing in it is taken in; move its surveys up into the landing zone"
    return "no regular file but a device, pipe or socket; remove it"


def _pieces_of(file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from iter(lambda: file.read(PIECE_BYTES), b"")
