"""A job's CloudWatch logs, line by line into the run's log while the job runs."""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.pipes._errors import AWS_ERRORS, explain, is_transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from logging import Logger

LAST_LINES: Final = 20
"""How many lines an error shows."""

_END_LINES: Final = 50
_MAX_LINES: Final = 2000
_PAGES_A_LOOK: Final = 20
_LINES_AN_ENTRY: Final = 200
_DRAIN_WAIT_SECONDS: Final = 0.5


@dataclass(frozen=True)
class LogSource:
    """Log streams of one job.

    Attributes:
        group: The log group.
        stream_prefix: What the names of the job's streams begin with.
        label: Names the stream in the log: a regular expression over the stream's name, or a text.
        alone: Whether the prefix is the name of the one stream that counts.
    """

    group: str
    stream_prefix: str
    label: str
    alone: bool = False

    def label_of(self, stream: str) -> str:
        """The short name of a stream."""
        found = re.search(self.label, stream)
        return found[0] if found else self.label


class CloudWatchTail:
    """Follows a job's log streams, which appear late, one by one or never.

    Logs are a courtesy: whatever goes wrong here is said once and never fails the job. So many
    lines that they would flood the run's log stay in CloudWatch.

    Args:
        rest_at: Tells the page of the CloudWatch console that has all of them.

    Attributes:
        last_lines: The latest lines, oldest first.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        log: Logger,
        *,
        rest_at: Callable[[], str],
    ) -> None:
        self._client = client
        self._log = log
        self._rest_at = rest_at
        self._lines_left = _MAX_LINES
        self._tokens: dict[tuple[str, str], str | None] = {}
        self._refused = False
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)

    def read_new(self, sources: Sequence[LogSource]) -> bool:
        """Log the lines that came since the last time.

        Returns:
            Whether there may be more at once: lines came, or CloudWatch was busy.
        """
        if self._refused:
            return False
        try:
            counts = [self._read_stream(*found) for found in self._streams(sources)]
            return any(counts)
        except AWS_ERRORS as error:
            return self._excuse(error)

    def drain(self, sources: Sequence[LogSource], *, grace: float) -> None:
        """Read on until no more lines come; call it when the job is over.

        Args:
            sources: The job's streams.
            grace: Seconds to wait for a stream that is still to appear, and in all; streams that
                are there count as complete after a fifth of it without a line.
        """
        end = time.monotonic() + grace
        quiet_since = time.monotonic()
        while not self._refused:
            if self.read_new(sources):
                quiet_since = time.monotonic()
            now = time.monotonic()
            if now >= end or (self._tokens and now - quiet_since >= grace / 5):
                return
            time.sleep(min(_DRAIN_WAIT_SECONDS, grace / 5))

    def show_ends(self, sources: Sequence[LogSource]) -> None:
        """Log the last lines of streams that are worth reading after a failure only."""
        if self._refused:
            return
        try:
            for source, stream in self._streams(sources):
                page = self._client.get_log_events(
                    logGroupName=source.group, logStreamName=stream, limit=_END_LINES
                )
                shown = [f"[{source.label_of(stream)}] {line}" for line in _lines_of(page)]
                self._log.info("\n".join(shown[-_END_LINES:]))
                if not self.last_lines:
                    self.last_lines.extend(shown)
        except AWS_ERRORS as error:
            self._excuse(error)

    def _excuse(self, error: Exception) -> bool:
        """Whether to try again later; otherwise say why not, once."""
        if is_transient(error):
            return True
        self._refused = True
        self._log.warning(f"[pipes] the job's CloudWatch logs cannot be read: {explain(error)}")
        return False

    def _streams(self, sources: Sequence[LogSource]) -> Iterator[tuple[LogSource, str]]:
        for source in sources:
            pages = self._client.get_paginator("describe_log_streams").paginate(
                logGroupName=source.group, logStreamNamePrefix=source.stream_prefix
            )
            try:
                names = [found["logStreamName"] for page in pages for found in page["logStreams"]]
            except self._client.exceptions.ResourceNotFoundException:
                continue  # no log group yet: nothing has ever been logged in this account
            if source.alone:
                names = [name for name in names if name == source.stream_prefix]
            yield from ((source, name) for name in sorted(names))

    def _read_stream(self, source: LogSource, stream: str) -> int:
        """The number of new lines."""
        count, place = 0, (source.group, stream)
        for _ in range(_PAGES_A_LOOK):
            token = self._tokens.get(place)
            start = {"nextToken": token} if token else {}
            page = self._client.get_log_events(
                logGroupName=source.group, logStreamName=stream, startFromHead=True, **start
            )
            self._tokens[place] = page["nextForwardToken"]
            if not page["events"] and page["nextForwardToken"] == token:
                break  # the stream's end for now, which the same token again tells
            lines = _lines_of(page)
            count += len(lines)
            self._emit(source.label_of(stream), lines)
        return count

    def _emit(self, label: str, lines: list[str]) -> None:
        told = [f"[{label}] {line}" for line in lines]
        self.last_lines.extend(told)
        shown = told[: self._lines_left]
        for start in range(0, len(shown), _LINES_AN_ENTRY):
            self._log.info("\n".join(shown[start : start + _LINES_AN_ENTRY]))
        if self._lines_left and len(told) >= self._lines_left:
            self._log.warning(
                f"[pipes] {_MAX_LINES} lines of the job's log are shown; further ones are here: "
                f"{self._rest_at()}"
            )
        self._lines_left -= len(shown)


def _lines_of(page: Mapping[str, Any]) -> list[str]:
    return [line for event in page["events"] for line in event["message"].splitlines()]
