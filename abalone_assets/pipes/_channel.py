"""Pipes through S3, below one prefix per job.

dagster-aws' injector and reader pick random keys, so nobody can find them again after a crash, and
its reader's thread takes at most some ten chunks once the job is over. Here the keys follow from
the job's name, and the client reads all there is whenever it looks at the job.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dagster as dg
from dagster_pipes import PIPES_PROTOCOL_VERSION_FIELD, PipesContextData, PipesParams

from abalone_assets.pipes._errors import AWS_ERRORS, ClientError, error_code

if TYPE_CHECKING:
    from datetime import datetime
    from logging import Logger

    from dagster import PipesMessageHandler
    from dagster_pipes import PipesMessage

    from abalone_assets.pipes._errors import Retry

_NOT_THERE: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_TOLD_AT_ONCE: Final = frozenset({"opened", "log", "log_external_stream"})
"""Methods of messages that are no results."""


class MessageChunk(NamedTuple):
    """Messages that a job wrote at once, one a line, and when it did so, to the second."""

    text: str
    written: datetime


@dataclass(frozen=True)
class JobPrefix:
    """Where a job and its caller meet in S3.

    Attributes:
        s3: A boto3 client.
        key: Key prefix of this job only, without a slash at its end.
    """

    s3: Any
    bucket: str
    key: str

    @property
    def context_key(self) -> str:
        """Key of the Pipes context that the job loads."""
        return f"{self.key}/context.json"

    @property
    def messages_key(self) -> str:
        """Key prefix of the messages that the job writes: ``1.json``, ``2.json``, …."""
        return f"{self.key}/messages"

    def message_chunk(self, index: int) -> MessageChunk | None:
        """The job's chunk of messages of that number, counted from 1; None when not yet written.

        Raises:
            ClientError: S3 refuses; without ``s3:ListBucket`` it does so for a missing object.
        """
        try:
            found = self.s3.get_object(Bucket=self.bucket, Key=f"{self.messages_key}/{index}.json")
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
        return MessageChunk(found["Body"].read().decode(), found["LastModified"])

    def delete_messages(self) -> None:
        """Delete all that the job has written.

        Raises:
            ClientError: S3 refuses.
        """
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.messages_key}/"
        )
        for page in pages:
            for stored in page.get("Contents", []):
                self.s3.delete_object(Bucket=self.bucket, Key=stored["Key"])


class ContextKeeper(dg.PipesContextInjector):
    """A context injector of these clients.

    Attributes:
        needed: Whether a job may still load the context.
    """

    needed = False


class ResultReader(dg.PipesMessageReader):
    """A message reader of these clients, which reads when it is told to."""

    @abstractmethod
    def read_new(self) -> None:
        """Take what the job has said since the last time.

        Raises:
            ClientError: AWS refuses.
        """

    @property
    def expected_writer_count(self) -> int:
        """One; the base's own, which says the same, warns of being a preview."""
        return 1


class JobContextInjector(ContextKeeper):
    """Puts the Pipes context where the job will look, and takes it away when nobody will.

    It is deleted only when no job may need it.

    Args:
        write: False when the job was started, with its context, by somebody else.
    """

    def __init__(self, prefix: JobPrefix, retry: Retry, *, write: bool) -> None:
        self._prefix = prefix
        self._retry = retry
        self._write = write
        self.needed = not write

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:
        """Hold the context in S3 as long as it is needed.

        Raises:
            PipesJobError: S3 refuses it.
        """
        where = f"s3://{self._prefix.bucket}/{self._prefix.context_key}"
        location = {"Bucket": self._prefix.bucket, "Key": self._prefix.context_key}
        if self._write:
            body = json.dumps(context_data).encode()
            self._retry(
                f"Pipes context at {where}",
                lambda: self._prefix.s3.put_object(Body=body, **location),
            )
        try:
            yield {"bucket": self._prefix.bucket, "key": self._prefix.context_key}
        finally:
            if not self.needed:
                # What stays goes with the bucket's life-cycle rule; the job's outcome counts more.
                with suppress(*AWS_ERRORS):
                    self._prefix.s3.delete_object(**location)

    def no_messages_debug_text(self) -> str:
        """What to look at when the job never opened Pipes."""
        return (
            f"The context is s3://{self._prefix.bucket}/{self._prefix.context_key}. The script must"
            " pass PipesS3ContextLoader to open_dagster_pipes, and its role must allow reading it."
        )


class JobMessageReader(ResultReader):
    """Reads a job's messages, from the first one, when asked to.

    Made anew for every session: a reader that counts on would skip the next job's messages.

    A job that SageMaker starts again on another instance, such as one on managed spot, numbers its
    messages from 1 again and overwrites the former ones. What it logs is told at once; its results
    count at the end, and only those of its last start.
    """

    def __init__(self, prefix: JobPrefix, log: Logger) -> None:
        self._prefix = prefix
        self._log = log
        self._handler: PipesMessageHandler | None = None
        self._first: MessageChunk | None = None
        self._latest: MessageChunk | None = None
        self._chunks_read = 0
        self._results: list[PipesMessage] = []

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Tell the job where to write; messages are read by `read_new`, results handed on last."""
        self._handler = handler
        try:
            yield {"bucket": self._prefix.bucket, "key_prefix": self._prefix.messages_key}
        finally:
            for result in self._results:
                handler.handle_message(result)

    def read_new(self) -> None:
        """Take all messages that were written since the last time.

        Raises:
            ClientError: S3 refuses.
        """
        if self._first is not None and self._prefix.message_chunk(1) not in (self._first, None):
            self._begin_anew()
        while (chunk := self._next_chunk()) is not None:
            self._chunks_read += 1
            self._first, self._latest = self._first or chunk, chunk
            for line in chunk.text.splitlines():
                self._take(line)

    def _begin_anew(self) -> None:
        self._log.info("[pipes] the job began anew; what it reported before does not count")
        self._first = self._latest = None
        self._chunks_read = 0
        self._results.clear()

    def _next_chunk(self) -> MessageChunk | None:
        chunk = self._prefix.message_chunk(self._chunks_read + 1)
        if chunk is None or (self._latest is not None and chunk.written < self._latest.written):
            return None  # older than the one before it: left over from the job's former start
        return chunk

    def _take(self, line: str) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict) or PIPES_PROTOCOL_VERSION_FIELD not in message:
            return
        if message.get("method") not in _TOLD_AT_ONCE:
            self._results.append(message)  # type: ignore[arg-type]  # just looked
        elif self._handler is not None:
            self._handler.handle_message(message)  # type: ignore[arg-type]  # just looked

    def no_messages_debug_text(self) -> str:
        """What to look at when the job never opened Pipes."""
        return (
            f"Messages are expected below s3://{self._prefix.bucket}/{self._prefix.messages_key}."
            " The script must pass PipesS3MessageWriter to open_dagster_pipes, and its role must"
            " allow writing them."
        )
