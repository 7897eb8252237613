"""Which runs are writing a survey day, so that no two of them can both be believed.

A run notes in the manifest that it writes a day before it does. If another one is at it already,
neither is believed: their rows may lie side by side, and one that dies may still have written
after the other had committed. The day stays due until one run has written it alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from abalone_assets.errors import AbaloneError
from abalone_assets.lake.holder import machine, process_identity, process_lives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST_WRITING: Final = timedelta(hours=1)
"""A run of another Dagster instance is taken to have ended after so long."""


class SharedDaysError(AbaloneError):
    """Other runs were writing the same days."""

    def __init__(self, days: Iterable[str]) -> None:
        named = ", ".join(sorted(days))
        super().__init__(
            f"another run was writing {named} as well, so what the lake holds of that is not "
            "believed: it stays due, and the sensor has it taken in again"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Writer:
    """A run that is writing a survey day, or has while another one was.

    Attributes:
        run: The Dagster run; empty where somebody else revoked the day meanwhile.
        machine: Where its process is.
        process: Its identity there.
        since: Since when, ISO time, UTC.
        ended: Whether it writes no more.
    """

    run: str
    machine: str = ""
    process: str = ""
    since: str = field(default_factory=_now)
    ended: bool = False

    @classmethod
    def this(cls, run: str) -> Self:
        """A run of this process."""
        return cls(run, machine(), process_identity(os.getpid()))

    def is_gone(self, has_ended: Callable[[str], bool]) -> bool:
        """Whether it writes no more, as far as anybody can tell.

        Args:
            has_ended: Whether Dagster knows of a run that it has ended.
        """
        if self.ended or has_ended(self.run):
            return True
        if self.machine == machine() and not process_lives(self.process):
            return True
        return datetime.now(UTC) - datetime.fromisoformat(self.since) > LONGEST_WRITING


def with_writer(
    writers: Iterable[Writer], writer: Writer | None, has_ended: Callable[[str], bool]
) -> tuple[Writer, ...]:
    """Who writes a day once this run begins to; without one, somebody else has revoked the day."""
    others = [each for each in writers if writer is None or each.run != writer.run]
    if writer is not None:
        return (*(each for each in others if not each.is_gone(has_ended)), writer)
    return (*others, Writer("", ended=True)) if others else ()


def is_alone(writers: Iterable[Writer], writer: Writer) -> bool:
    """Whether nobody but this run has written a day since it began to."""
    return [each.run for each in writers] == [writer.run]


def is_only_revoked(writers: Iterable[Writer], writer: Writer) -> bool:
    """Whether no other run has written a day since this one began to, but somebody revoked it."""
    return {each.run for each in writers} == {"", writer.run}


def after_failing(writers: Iterable[Writer], writer: Writer) -> tuple[Writer, ...]:
    """Who writes a day when this run has failed: it may have written, and writes no more."""
    return tuple(replace(each, ended=True) if each.run == writer.run else each for each in writers)


def after_sharing(writers: Iterable[Writer], writer: Writer) -> tuple[Writer, ...]:
    """Who writes a day when this run has ended, and was not alone: the others know of it then."""
    others = (each for each in writers if each.run != writer.run)
    return (*others, replace(writer, ended=True))
