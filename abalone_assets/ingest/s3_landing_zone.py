"""The landing zone on S3."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from abalone_assets.aws.clients import client
from abalone_assets.aws.failures import translate_errors
from abalone_assets.errors import AbaloneError, StorageError, SurveyError
from abalone_assets.ingest import s3_notifications
from abalone_assets.ingest.landing_zone import (
    AGED,
    PIECE_BYTES,
    LandedFile,
    LandingZone,
    Notifications,
    StrayFile,
    aged_key,
    printable,
    write_pieces,
)
from abalone_assets.survey import ANIMALS, SURVEYS, FileKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)


class S3LandingZone(LandingZone):
    """The objects directly below an S3 prefix.

    Listed by boto3, which takes any key that a crew can think of: one that obstore cannot parse
    would hide all others.

    Args:
        uri: The ``s3://`` prefix.
        queue_url: The SQS queue that S3 tells of landed files, or a reference to it; may be empty.
    """

    def __init__(self, uri: str, queue_url: str = "") -> None:
        self.uri = uri.rstrip("/")
        parts = urlsplit(self.uri)
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._queue_url = queue_url

    def list_files(
        self, since: date | None = None, kind: FileKind = SURVEYS
    ) -> Iterator[LandedFile]:
        """The objects; names sort by time, so S3 lists only those from ``since`` on.

        Raises:
            StorageError: The bucket is missing or refuses.
        """
        if since is None:
            return self._list(self._prefix)
        before = f"{self._prefix}{kind.prefix_of(since - timedelta(days=1))}~"
        return self._list(self._prefix + kind.prefix, StartAfter=before)

    def list_day(self, day: date, kind: FileKind = SURVEYS) -> Iterator[LandedFile]:
        """The objects whose names begin as those of a day do.

        Raises:
            StorageError: The bucket is missing or refuses.
        """
        return self._list(self._prefix + kind.prefix_of(day))

    def list_oddities(self) -> Iterator[StrayFile]:
        """The prefixes below this one, each once, however many objects it has.

        Raises:
            StorageError: The bucket is missing or refuses.
        """
        for page in self._pages(self._prefix):
            for found in page.get("CommonPrefixes", []):
                name = found["Prefix"].removeprefix(self._prefix)
                if not name.startswith(".") and name != f"{AGED}/":
                    problem = (
                        "a folder: no object below this prefix is taken in; copy its surveys to "
                        f"{self.uri}/"
                    )
                    yield StrayFile(LandedFile(printable(name), 0, ""), problem)

    def _list(self, prefix: str, **more: str) -> Iterator[LandedFile]:
        for page in self._pages(prefix, **more):
            for found in page.get("Contents", []):
                name = found["Key"].removeprefix(self._prefix)
                if name and not name.startswith("."):
                    yield LandedFile(printable(name), found["Size"], found["ETag"])

    def _pages(self, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
        request = {"Bucket": self._bucket, "Prefix": prefix, "Delimiter": "/", **more}
        pages = client("s3").get_paginator("list_objects_v2").paginate(**request)
        with translate_errors(StorageError, self.uri):
            yield from pages

    def read(self, name: str) -> bytes:
        """One object's bytes."""
        with translate_errors(StorageError, f"{self.uri}/{name}"):
            answer = client("s3").get_object(Bucket=self._bucket, Key=self._prefix + name)
            return bytes(answer["Body"].read())

    def download(self, name: str, target: Path) -> str:
        """Copy one object, a piece at a time."""
        with translate_errors(StorageError, f"{self.uri}/{name}"):
            answer = client("s3").get_object(Bucket=self._bucket, Key=self._prefix + name)
            return write_pieces(answer["Body"].iter_chunks(PIECE_BYTES), target)

    def write_aged(self, name: str, ages: Path) -> None:
        """Put the CSV, in parts where it is large; S3 shows it when it is whole."""
        key = aged_key(name)
        with translate_errors(StorageError, f"{self.uri}/{key}"):
            client("s3").upload_file(str(ages), self._bucket, self._prefix + key)

    def has_aged(self, name: str) -> bool:
        """Whether the CSV lies there."""
        key = aged_key(name)
        with translate_errors(StorageError, f"{self.uri}/{key}"):
            request = {"Bucket": self._bucket, "Prefix": self._prefix + key, "MaxKeys": 1}
            found = client("s3").list_objects_v2(**request).get("Contents", [])
        return any(each["Key"] == self._prefix + key for each in found)

    def read_aged(self, name: str) -> Iterator[bytes] | None:
        """The CSV's bytes, in pieces."""
        from botocore.exceptions import ClientError

        key = aged_key(name)
        with translate_errors(StorageError, f"{self.uri}/{key}"):
            try:
                answer = client("s3").get_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":
                    raise
                return None
        pieces: Iterator[bytes] = answer["Body"].iter_chunks(PIECE_BYTES)
        return pieces

    def remove_aged(self, name: str) -> None:
        """Delete the CSV."""
        key = aged_key(name)
        with translate_errors(StorageError, f"{self.uri}/{key}"):
            client("s3").delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def land(self, name: str, data: bytes, *, replace: bool = True) -> None:
        """Put the object; S3 shows it when it is whole."""
        from botocore.exceptions import ClientError

        condition = {} if replace else {"IfNoneMatch": "*"}
        with translate_errors(StorageError, f"{self.uri}/{name}"):
            try:
                client("s3").put_object(
                    Bucket=self._bucket, Key=self._prefix + name, Body=data, **condition
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "PreconditionFailed":
                    raise
                raise FileExistsError(f"{self.uri}/{name}") from error

    @contextmanager
    def notifications(self) -> Iterator[Notifications]:
        """What S3 told the queue; without it the next look at everything finds the same."""
        if not self._queue_url:
            yield Notifications()
            return
        try:
            received = s3_notifications.receive(self._queue_url)
        except AbaloneError as error:
            yield Notifications(
                problem=f"late files are found later, without notifications: {error}"
            )
            return
        problem = ""
        if received.unusable:
            problem = (
                f"{received.unusable} messages in the queue are no notifications of S3 and were "
                "dropped"
            )
        days, animals = (
            frozenset(self._notified_days(received.keys, kind)) for kind in (SURVEYS, ANIMALS)
        )
        yield Notifications(days, animals, problem)
        try:
            s3_notifications.delete(self._queue_url, received)
        except AbaloneError as error:
            logger.warning("notifications will come again: %s", error)

    def _notified_days(self, keys: Iterable[tuple[str, str]], kind: FileKind) -> Iterator[date]:
        for bucket, key in keys:
            if bucket == self._bucket and key.startswith(self._prefix):
                with suppress(SurveyError):  # a stray; a look at everything reports it
                    yield kind.time(key.removeprefix(self._prefix)).date()
