"""The landing zone: the folder or S3 prefix that survey crews drop their files into."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.partitions import is_of_future, partition_of
from abalone_assets.survey import ANIMALS, SURVEYS, FileKind, kind_of_file, landed_day

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

AGED: Final = "aged"
"""The folder beside the landed files in which the platform puts the ages of animals."""

PIECE_BYTES: Final = 2**20
"""Of a file that is copied; it is never in memory as a whole."""

NO_DAYS: Final = frozenset[date]()


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
                    waits = is_of_future(file.name, last_day)
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


def printable(name: str) -> str:
    """A name that any log, database and terminal takes; a survey's own name is left as it is."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()
