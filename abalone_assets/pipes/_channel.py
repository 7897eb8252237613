"""Pipes through S3, below one prefix per job.

dagster-aws' injector and reader pick random keys, so nobody can find them again after a crash, and
its reader's thread takes at most some ten chunks once the job is over. Here the keys follow from
the job's name, and the client reads all there is whenever it looks at the job.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from dagster_pipes import PIPES_PROTOCOL_VERSION_FIELD, PipesContextData, PipesParams

from abalone_assets.pipes._errors import AWS_ERRORS, ClientError, error_code

if TYPE_CHECKING:
    from dagster import PipesMessageHandler

    from abalone_assets.pipes._patience import Patience

_NOT_THERE: Final = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True)
class JobPrefix:
    """Where a job and its caller meet in S3.

    Attributes:
        s3: A boto3 client.
        bucket: The bucket.
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

    def message_chunk(self, index: int) -> str | None:
        """The job's chunk of messages of that number, counted from 1; None when not yet written.

        Raises:
            ClientError: S3 refuses; without ``s3:ListBucket`` it does so for a missing object.
        """
        try:
            chunk = self.s3.get_object(Bucket=self.bucket, Key=f"{self.messages_key}/{index}.json")
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                return None
            raise
        return str(chunk["Body"].read().decode())

    def has_messages(self) -> bool:
        """Whether the job has written any.

        Raises:
            ClientError: S3 refuses.
        """
        return self.message_chunk(1) is not None

    def delete_messages(self, count: int) -> None:
        """Delete the first chunks of messages."""
        for index in range(1, count + 1):
            self.s3.delete_object(Bucket=self.bucket, Key=f"{self.messages_key}/{index}.json")


class JobContextInjector(dg.PipesContextInjector):
    """Puts the Pipes context where the job will look, and takes it away when nobody will.

    Args:
        prefix: Where.
        patience: Makes the calls.
        write: False when the job was started, with its context, by somebody else.

    Attributes:
        needed: Whether a job may still load the context; it is deleted only when none may.
    """

    def __init__(self, prefix: JobPrefix, patience: Patience, *, write: bool) -> None:
        self._prefix = prefix
        self._patiently = patience
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
            self._patiently(
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


class JobMessageReader(dg.PipesMessageReader):
    """Reads a job's messages, from the first one, when asked to.

    Made anew for every session: a reader that counts on would skip the next job's messages.

    Args:
        prefix: Where the job writes them.
    """

    def __init__(self, prefix: JobPrefix) -> None:
        self._prefix = prefix
        self._handler: PipesMessageHandler | None = None
        self.chunks_read = 0

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Tell the job where to write; messages are handled by `read_new`."""
        self._handler = handler
        yield {"bucket": self._prefix.bucket, "key_prefix": self._prefix.messages_key}

    def read_new(self) -> None:
        """Handle all messages that were written since the last time.

        Raises:
            ClientError: S3 refuses.
        """
        while (chunk := self._prefix.message_chunk(self.chunks_read + 1)) is not None:
            self.chunks_read += 1
            for line in chunk.splitlines():
                self._handle(line)

    def _handle(self, line: str) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if self._handler and isinstance(message, dict) and PIPES_PROTOCOL_VERSION_FIELD in message:
            self._handler.handle_message(message)  # type: ignore[arg-type]  # just looked

    @property
    def expected_writer_count(self) -> int:
        """One; the base's own, which says the same, warns of being a preview."""
        return 1

    def no_messages_debug_text(self) -> str:
        """What to look at when the job never opened Pipes."""
        return (
            f"Messages are expected below s3://{self._prefix.bucket}/{self._prefix.messages_key}."
            " The script must pass PipesS3MessageWriter to open_dagster_pipes, and its role must"
            " allow writing them."
        )
