"""The landing zone: the folder or S3 prefix that survey crews drop their files into."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Final
from uuid import uuid4

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.ingest import folder_watch
from abalone_assets.lake.leftovers import leftovers
from abalone_assets.survey import ANIMALS, SURVEYS, FileKind, kind_of_file, landed_day

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

AGED: Final = "aged"
"""The folder beside the landed files in which the platform puts the ages of animals."""

PIECE_BYTES: Final = 2**20
"""Of a file that is copied; it is never in memory as a whole."""

NO_DAYS: Final = frozenset[date]()

WHOLE_AFTER_NS: Final = 10**9
"""A file whose status changed this long after its last write was finished, then moved here."""

COARSE_GRAIN_NS: Final = 2 * 10**9
"""What the coarsest clock of a file system counts in: FAT's."""


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing zone.

    Attributes:
        name: Its name.
        size: Bytes.
        e_tag: A token that changes whenever it is written again.
        written_at: Unix time of the last write, by the storage's clock, which may be wrong.
        whole: Whether it can only have come whole, so that nobody still writes it.
    """

    name: str
    size: int
    e_tag: str
    written_at: float = 0.0
    whole: bool = True


@dataclass(frozen=True)
class StrayFile:
    """What lies in the landing zone and belongs to no survey day's partition, and why.

    Attributes:
        file: What it is.
        problem: Why it is not taken in.
        waits: Whether it will be, when its day comes.
    """

    file: LandedFile
    problem: str
    waits: bool = False


@dataclass(frozen=True)
class Landing:
    """What lies in the landing zone, as one scan found.

    Attributes:
        first: First day (ISO date) that was scanned.
        last: Last day that was scanned.
        days: The files of each survey day.
        strays: Files of no such day.
        also: Days before the first that were scanned too.
        whole: Whether every survey day was scanned.
    """

    first: str
    last: str
    days: dict[str, tuple[LandedFile, ...]]
    strays: tuple[StrayFile, ...]
    also: frozenset[str] = frozenset()
    whole: bool = True

    def covers(self, day: str) -> bool:
        """Whether this day (ISO date) was scanned."""
        return self.first <= day <= self.last or day in self.also


@dataclass(frozen=True)
class Notifications:
    """What the storage told of since it was last asked; it may tell too little or too much.

    Attributes:
        days: Survey days of files that were written or removed.
        animals: Days of files of animals without rings, likewise.
        problem: Why there may be more than these days, or empty.
    """

    days: frozenset[date] = NO_DAYS
    animals: frozenset[date] = NO_DAYS
    problem: str = ""


class LandingZone(ABC):
    """Where survey files arrive; the platform reads them and moves nothing.

    It writes into the folder ``aged`` only: a CSV of ages for each file of animals without rings.
    """

    uri: str

    @abstractmethod
    def list_files(
        self, since: date | None = None, kind: FileKind = SURVEYS
    ) -> Iterator[LandedFile]:
        """The files of all kinds; with ``since``, of one kind and of days from then on."""

    @abstractmethod
    def list_oddities(self) -> Iterator[StrayFile]:
        """What is no file of this landing zone though it may look so: links, folders."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """One file's bytes.

        Raises:
            StorageError: It is not there, or cannot be read.
        """

    @abstractmethod
    def land(self, name: str, data: bytes, *, replace: bool = True) -> None:
        """Write a file as a crew would, but atomically: nobody sees a part of it.

        Raises:
            FileExistsError: A file of this name is there, and may not be replaced.
            StorageError: The landing zone takes no file of this name.
        """

    @abstractmethod
    def list_day(self, day: date, kind: FileKind = SURVEYS) -> Iterator[LandedFile]:
        """The files whose names begin as those of a day do."""

    @abstractmethod
    def download(self, name: str, target: Path) -> str:
        """Copy one file to this machine, a piece at a time; returns its SHA-256.

        Raises:
            StorageError: It is not there, or cannot be read.
        """

    @abstractmethod
    def write_aged(self, name: str, ages: Path) -> None:
        """Put a CSV of ages beside the file of this name, in the folder ``aged``, atomically.

        Raises:
            StorageError: The landing zone takes no file there.
        """

    @abstractmethod
    def has_aged(self, name: str) -> bool:
        """Whether there is a CSV of ages of the file of this name.

        Raises:
            StorageError: The landing zone refuses to say.
        """

    @abstractmethod
    def read_aged(self, name: str) -> Iterator[bytes] | None:
        """The CSV of ages of the file of this name, in pieces; None when there is none.

        Raises:
            StorageError: It cannot be read.
        """

    @abstractmethod
    def remove_aged(self, name: str) -> None:
        """Remove the CSV of ages of the file of this name; none is no error.

        Raises:
            StorageError: It cannot be removed.
        """

    def find(self, name: str) -> LandedFile | None:
        """The file of this name; None when there is none, or the name tells no day.

        Raises:
            StorageError: The landing zone cannot be read.
        """
        try:
            day = landed_day(name)
        except SurveyError:
            return None
        files = self.list_day(day, kind_of_file(name))
        return next((file for file in files if file.name == name), None)

    def list_names(self) -> Iterator[str]:
        """The names of all files, in no order; links and folders may be among them."""
        return (file.name for file in self.list_files())

    def change_token(self) -> str | None:
        """A token that stays the same as long as nothing lands, changes or goes.

        Returns:
            None where that costs as much as a look, or is not known.
        """
        return None

    def sign(self) -> str | None:
        """What changes when a file arrives or goes, at no cost; None where a listing must tell.

        `change_token` sees each write to a file, too: of an upload it would tell all the time.
        """
        return None

    @contextmanager
    def notifications(self) -> Iterator[Notifications]:
        """What changed; notifications that the block used are given up when it ends well."""
        yield Notifications()

    def scan(
        self,
        first_day: date,
        last_day: date,
        since: date | None = None,
        *,
        also: Collection[date] = NO_DAYS,
        kind: FileKind = SURVEYS,
    ) -> Landing:
        """Sort what has landed into the partitions ``first_day`` to ``last_day``.

        What is no file of any kind, or of no such day, is a stray among the surveys.

        Args:
            first_day: The first partition.
            last_day: The last partition.
            since: Scan the days from this one on only.
            also: Single days before ``since`` to scan as well; each costs a listing.
            kind: Of the files that are looked for.
        """
        files = {file.name: file for file in self.list_files(since, kind)}
        for day in also:
            files.update((file.name, file) for file in self.list_day(day, kind))
        days: dict[str, list[LandedFile]] = {}
        strays = [] if since or kind is not SURVEYS else list(self.list_oddities())
        for _, file in sorted(files.items()):
            try:
                day = partition_of(file.name, first_day, last_day)
            except SurveyError as error:
                if kind is SURVEYS:
                    waits = _is_of_future(file.name, last_day)
                    strays.append(StrayFile(file, str(error), waits=waits))
                continue
            wanted = kind_of_file(file.name) is kind
            if wanted and (since is None or day >= since or day in also):
                days.setdefault(day.isoformat(), []).append(file)
        return Landing(
            first=max(first_day, since or first_day).isoformat(),
            last=last_day.isoformat(),
            days={day: tuple(files) for day, files in days.items()},
            strays=tuple(sorted(strays, key=lambda stray: stray.file.name)),
            also=frozenset(day.isoformat() for day in also),
            whole=since is None,
        )


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
        first, prefix = day_prefix(since, kind) if since else "", kind.prefix
        length = len(prefix)
        return self._files(lambda name: not since or (name[:length] == prefix and name >= first))

    def list_day(self, day: date, kind: FileKind = SURVEYS) -> Iterator[LandedFile]:
        """The regular files whose names begin as those of a day do.

        Raises:
            StorageError: The folder is gone, or cannot be read.
        """
        prefix = day_prefix(day, kind)
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

    def _files(self, wanted: Callable[[str], bool] = bool) -> Iterator[LandedFile]:
        for entry, found in self._entries(wanted):
            if stat.S_ISREG(found.st_mode):
                yield _landed(entry.name, found)

    def list_oddities(self) -> Iterator[StrayFile]:
        """Links, folders and devices.

        Raises:
            StorageError: The folder is gone, or cannot be read.
        """
        for entry, found in self._entries():
            if entry.name == AGED and stat.S_ISDIR(found.st_mode):
                continue
            if not stat.S_ISREG(found.st_mode):
                file = LandedFile(printable(entry.name), found.st_size, _token(found))
                yield StrayFile(file, _oddity(found.st_mode))

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
                with suppress(FileNotFoundError):  # deleted since the folder was read
                    if not entry.name.startswith(".") and wanted(entry.name):
                        yield entry, entry.stat(follow_symlinks=False)

    def sign(self) -> str | None:
        """The folder's own time of change; that of a file which is written in place is not."""
        try:
            return str(self.folder.stat().st_mtime_ns)
        except OSError:
            return "gone"  # which is for a listing to report

    def read(self, name: str) -> bytes:
        """One file's bytes."""
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(
                f"{self.folder / name}: cannot read this survey: {reason}"
            ) from error

    def download(self, name: str, target: Path) -> str:
        """Copy one file, a piece at a time."""
        try:
            with (self.folder / name).open("rb") as file:
                return write_pieces(iter(lambda: file.read(PIECE_BYTES), b""), target)
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"{self.folder / name}: cannot read this file: {reason}") from error

    def write_aged(self, name: str, ages: Path) -> None:
        """Copy to a hidden name in the folder ``aged``, then rename.

        Raises:
            StorageError: The folder takes no such file.
        """
        target = self._aged(name)
        try:
            target.parent.mkdir(exist_ok=True)
            temporary = target.with_name(f".{target.name}.{uuid4().hex}.staged")
            for leftover in leftovers(target.parent):  # of a process that was killed
                leftover.unlink(missing_ok=True)
            try:
                shutil.copyfile(ages, temporary)
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(
                f"{target}: cannot write these ages: {reason}; let the platform write into "
                f"{target.parent}"
            ) from error

    def has_aged(self, name: str) -> bool:
        """Whether the CSV lies there."""
        return self._aged(name).is_file()

    def read_aged(self, name: str) -> Iterator[bytes] | None:
        """The CSV's bytes, in pieces."""
        try:
            file = self._aged(name).open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"{self._aged(name)}: cannot be read: {reason}") from error
        return _pieces_of(file)

    def remove_aged(self, name: str) -> None:
        """Delete the CSV."""
        try:
            self._aged(name).unlink(missing_ok=True)
        except NotADirectoryError:  # a file is called as the folder would be: no ages lie here
            return
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"{self._aged(name)}: cannot be removed: {reason}") from error

    def _aged(self, name: str) -> Path:
        return self.folder / aged_key(name)

    def land(self, name: str, data: bytes, *, replace: bool = True) -> None:
        """Write to a hidden name beside it, then rename, or link where nothing may be replaced.

        Its time of writing is set back a little, by which `list_files` knows that it came whole.

        Raises:
            FileExistsError: A file of this name is there, and may not be replaced.
            StorageError: The folder takes no file of this name.
        """
        try:
            with NamedTemporaryFile(dir=self.folder, prefix=f".{name}.", delete=False) as file:
                temporary = Path(file.name)
                try:
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


def _unreadable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{folder}: cannot read the landing zone: {error.strerror}; "
        "make this folder or set ABALONE_LANDING_ZONE_URI"
    )


def _landed(name: str, found: os.stat_result) -> LandedFile:
    return LandedFile(
        printable(name),
        found.st_size,
        _token(found),
        written_at=found.st_mtime,
        whole=found.st_ctime_ns - found.st_mtime_ns >= WHOLE_AFTER_NS,
    )


def _token(found: os.stat_result) -> str:
    """Changes with each write: by the change time too, which ``cp -p`` and rsync cannot set.

    A clock that counts in seconds may give two writes one time, so a file as young as its grain
    gets another token once it is older, and is compared by its bytes then.
    """
    times = (found.st_mtime_ns, found.st_ctime_ns)
    coarse = not any(nanoseconds % 10**9 for nanoseconds in times)
    young = coarse and time.time_ns() - max(times) < COARSE_GRAIN_NS
    token = f"{found.st_ino:x}-{times[0]:x}-{found.st_size:x}-{times[1]:x}"
    return f"{token}-young" if young else token


def same_file(token: str, other: str) -> bool:
    """Whether two tokens are of one file that was written in place, not of two files."""
    return token.partition("-")[0] == other.partition("-")[0]


def _oddity(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link, and links are not followed; copy the file itself here"
    if stat.S_ISDIR(mode):
        return "a folder, and nothing in it is taken in; move its surveys up into the landing zone"
    return "no regular file but a device, pipe or socket; remove it"


def day_prefix(day: date, kind: FileKind = SURVEYS) -> str:
    """What the names of a day's files begin with."""
    return f"{kind.prefix}{day:%Y%m%d}"


def aged_key(name: str) -> str:
    """Where the CSV with the ages of a file's animals lies in the landing zone.

    Raises:
        SurveyError: The name is not that of a file of animals without rings.
    """
    ANIMALS.time(name)
    return f"{AGED}/{name}.csv"


def write_pieces(pieces: Iterable[bytes], target: Path) -> str:
    """Write what comes in pieces to a file; returns its SHA-256."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def _pieces_of(file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from iter(lambda: file.read(PIECE_BYTES), b"")


def printable(name: str) -> str:
    """A name that any log, database and terminal takes; a survey's own name is left as it is."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def _is_of_future(name: str, last_day: date) -> bool:
    with suppress(SurveyError):
        return landed_day(name) > last_day
    return False


def partition_of(name: str, first_day: date, last_day: date) -> date:
    """The partition, ``first_day`` to ``last_day``, that a file's name puts it in.

    Raises:
        SurveyError: It is in none of them; the message says why.
    """
    day = landed_day(name)
    if day < first_day:
        raise SurveyError(
            f"its day {day} is before the first partition {first_day}; "
            "set ABALONE_FIRST_SURVEY_DAY to an earlier day to take it in"
        )
    if day > last_day:
        raise SurveyError(f"its day {day} is in the future; it is taken in when that day comes")
    return day
