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
    LandedFile,
    LandingZone,
    Notifications,
    StrayFile,
    day_prefix,
    printable,
)
from abalone_assets.survey import survey_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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

    def list_files(self, since: date | None = None) -> Iterator[LandedFile]:
        """The objects; names sort by time, so S3 lists only those from ``since`` on.

        Raises:
            StorageError: The bucket is missing or refuses.
        """
        if since is None:
            return self._list(self._prefix)
        before = f"{self._prefix}{day_prefix(since - timedelta(days=1))}~"
        return self._list(self._prefix, StartAfter=before)

    def list_day(self, day: date) -> Iterator[LandedFile]:
        """The objects whose names begin as those of a survey day do.

        Raises:
            StorageError: The bucket is missing or refuses.
        """
        return self._list(self._prefix + day_prefix(day))

    def list_oddities(self) -> Iterator[StrayFile]:
        """The prefixes below this one, each once, however many objects it has.

        Raises:
            StorageError: The bucket is missing or refuses.
        """
        for page in self._pages(self._prefix):
            for found in page.get("CommonPrefixes", []):
                name = found["Prefix"].removeprefix(self._prefix)
                if not name.startswith("."):
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
        yield Notifications(frozenset(self._notified_days(received.keys)), problem)
        try:
            s3_notifications.delete(self._queue_url, received)
        except AbaloneError as error:
            logger.warning("notifications will come again: %s", error)

    def _notified_days(self, keys: Iterable[tuple[str, str]]) -> Iterator[date]:
        for bucket, key in keys:
            if bucket == self._bucket and key.startswith(self._prefix):
                with suppress(SurveyError):  # a stray; a look at everything reports it
                    yield survey_day(key.removeprefix(self._prefix))
