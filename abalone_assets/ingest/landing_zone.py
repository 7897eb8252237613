"""The landing zone: the folder or S3 prefix that survey crews drop their files into."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.storage import ObjectStore
from abalone_assets.survey import survey_day

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_PREFIX: Final = "abalone."


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing zone; ``e_tag`` changes whenever it is written again."""

    name: str
    size: int
    e_tag: str


@dataclass(frozen=True)
class StrayFile:
    """A file that belongs to no survey day's partition, and why."""

    file: LandedFile
    problem: str


@dataclass(frozen=True)
class Landing:
    """What lies in the landing zone, as one look at it found.

    Attributes:
        first: First day (ISO date) that was looked at.
        last: Last day that was looked at.
        days: The files of each survey day.
        strays: Files of no such day.
    """

    first: str
    last: str
    days: dict[str, tuple[LandedFile, ...]]
    strays: tuple[StrayFile, ...]


class LandingZone(ABC):
    """Where survey files arrive; the platform reads them and moves nothing."""

    uri: str

    @abstractmethod
    def list_files(self, since: date | None = None) -> Iterator[LandedFile]:
        """The files, those of survey days from ``since`` on where the backing can tell them."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """One file's bytes.

        Raises:
            StorageError: It is not there, or cannot be read.
        """

    @abstractmethod
    def land(self, name: str, data: bytes) -> None:
        """Write a file as a crew would, but atomically: nobody sees a part of it."""

    def look(self, first_day: date, last_day: date, since: date | None = None) -> Landing:
        """Sort what has landed into the partitions ``first_day`` to ``last_day``."""
        days: dict[str, list[LandedFile]] = {}
        strays: list[StrayFile] = []
        for file in sorted(self.list_files(since), key=lambda file: file.name):
            try:
                day = survey_day(file.name)
                _check_day(day, first_day, last_day)
            except SurveyError as error:
                strays.append(StrayFile(file, str(error)))
                continue
            if since is None or day >= since:
                days.setdefault(day.isoformat(), []).append(file)
        return Landing(
            first=max(first_day, since or first_day).isoformat(),
            last=last_day.isoformat(),
            days={day: tuple(files) for day, files in days.items()},
            strays=tuple(strays),
        )


def open_landing_zone(uri: str) -> LandingZone:
    """The landing zone at a folder's path, a ``file://`` or an ``s3://`` URI."""
    store = ObjectStore(uri)
    return S3LandingZone(uri) if store.root is None else FolderLandingZone(store.root)


class FolderLandingZone(LandingZone):
    """A folder. Read entry by entry, so that no name a crew can think of stops the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = str(folder)

    def list_files(self, since: date | None = None) -> Iterator[LandedFile]:  # noqa: ARG002 - a folder is read whole
        """All regular files; hidden ones are uploads under way.

        Raises:
            StorageError: The folder is gone, or cannot be read.
        """
        try:
            entries = os.scandir(self.folder)
        except OSError as error:
            raise StorageError(
                f"{self.folder}: cannot read the landing zone: {error.strerror}; "
                "make this folder or set ABALONE_LANDING_ZONE_URI"
            ) from error
        with entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                with suppress(FileNotFoundError):  # deleted since the folder was read
                    if entry.is_file(follow_symlinks=False):
                        stat = entry.stat(follow_symlinks=False)
                        e_tag = f"{stat.st_ino:x}-{stat.st_mtime_ns:x}-{stat.st_size:x}"
                        yield LandedFile(_printable(entry.name), stat.st_size, e_tag)

    def read(self, name: str) -> bytes:
        """One file's bytes."""
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise StorageError(f"{self.folder / name}: cannot read this survey: {error}") from error

    def land(self, name: str, data: bytes) -> None:
        """Write to a hidden name beside it, then rename.

        Raises:
            StorageError: The folder takes no file of this name.
        """
        try:
            self._land(name, data)
        except OSError as error:
            raise StorageError(f"{self.folder / name}: cannot land this survey: {error}") from error

    def _land(self, name: str, data: bytes) -> None:
        with NamedTemporaryFile(dir=self.folder, prefix=f".{name}.", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o644)
                temporary.replace(self.folder / name)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise


class S3LandingZone(LandingZone):
    """The objects directly below an S3 prefix.

    Listed by boto3, which takes any key that a crew can think of: one that obstore cannot parse
    would hide all others.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        parts = urlsplit(self.uri)
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""

    @cached_property
    def _s3(self) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        import boto3

        return boto3.client("s3")

    def list_files(self, since: date | None = None) -> Iterator[LandedFile]:
        """The objects; names sort by time, so S3 lists only those from ``since`` on.

        Raises:
            StorageError: The bucket is missing or refuses.
        """
        request = {"Bucket": self._bucket, "Prefix": self._prefix, "Delimiter": "/"}
        if since:
            before = since - timedelta(days=1)
            request["StartAfter"] = f"{self._prefix}{FILE_PREFIX}{before:%Y%m%d}~"
        with _told_as_storage_errors(self.uri):
            for page in self._s3.get_paginator("list_objects_v2").paginate(**request):
                for found in page.get("Contents", []):
                    name = found["Key"].removeprefix(self._prefix)
                    if name and not name.startswith("."):
                        yield LandedFile(_printable(name), found["Size"], found["ETag"])

    def read(self, name: str) -> bytes:
        """One object's bytes."""
        with _told_as_storage_errors(f"{self.uri}/{name}"):
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)
            return bytes(answer["Body"].read())

    def land(self, name: str, data: bytes) -> None:
        """Put the object; S3 shows it when it is whole."""
        with _told_as_storage_errors(f"{self.uri}/{name}"):
            self._s3.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=data)


@contextmanager
def _told_as_storage_errors(uri: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StorageError(f"{uri}: {error}") from error


def _printable(name: str) -> str:
    """A name that any log, database and terminal takes; a survey's own name is left as it is."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def _check_day(day: date, first_day: date, last_day: date) -> None:
    if day < first_day:
        raise SurveyError(
            f"its day {day} is before the first partition {first_day}; "
            "set ABALONE_FIRST_SURVEY_DAY to an earlier day to take it in"
        )
    if day > last_day:
        raise SurveyError(f"its day {day} is in the future; it is taken in when that day comes")
