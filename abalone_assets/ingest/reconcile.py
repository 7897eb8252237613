"""Which survey days are due: those whose files differ from what the manifest says of them.

Level-triggered: it compares what should be with what is, so a new, late, rewritten, deleted or
same-second file is one and the same case, and no event can be lost.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError
from abalone_assets.survey import MAX_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from abalone_assets.ingest.landing_zone import LandedFile, Landing
    from abalone_assets.ingest.manifest import IngestedDay, Manifest

MAX_COMPARED_FILES: Final = 200
"""Rewritten files read at one look to see whether their bytes changed; the rest wait."""

MAX_BRIDGED_DAYS: Final = 31
"""A gap of days that are not due is ingested along when it joins two ranges: one run, not two."""


@dataclass(frozen=True)
class Due:
    """The survey days that need ingestion.

    Attributes:
        days: ISO dates, in order.
        identical: Files written again with the bytes that the lake already holds, by name: the
            token of the write. Given back to the next look, they are not read again.
        undecided: Rewritten files left for the next look.
    """

    days: tuple[str, ...]
    identical: Mapping[str, str]
    undecided: int = 0


def find_due(
    landing: Landing,
    manifest: Manifest,
    read: Callable[[str], bytes],
    *,
    identical: Mapping[str, str] | None = None,
    since: date | None = None,
) -> Due:
    """Compare the landing zone with the manifest.

    Args:
        landing: What has landed, from the day ``since`` on.
        manifest: What the lake holds.
        read: Reads a landed file; called only for files rewritten with their size unchanged.
        identical: The ``identical`` of the look before.
        since: Days before it are left alone: the landing was not listed for them.
    """
    comparison = _Comparison(read, dict(identical or {}))
    first = since.isoformat() if since else ""
    known = {day for day, entry in manifest.days.items() if entry.files or not entry.digest}
    days = [
        day
        for day in sorted(known | set(landing.days))
        if day >= first and comparison.differs(landing.days.get(day, ()), manifest.days.get(day))
    ]
    return Due(tuple(days), comparison.confirmed, comparison.undecided)


class _Comparison:
    def __init__(self, read: Callable[[str], bytes], identical: dict[str, str]) -> None:
        self.read = read
        self.identical = identical
        self.confirmed: dict[str, str] = {}
        self.compared = 0
        self.undecided = 0

    def differs(self, landed: tuple[LandedFile, ...], day: IngestedDay | None) -> bool:
        if day is None or not day.digest:
            return True
        ingested = {file.name: file for file in day.files}
        if {(file.name, file.size) for file in landed} != {
            (file.name, file.size) for file in day.files
        }:
            return True
        rewritten = [file for file in landed if file.e_tag != ingested[file.name].e_tag]
        return any(self._content_differs(file, ingested[file.name].sha256) for file in rewritten)

    def _content_differs(self, file: LandedFile, sha256: str) -> bool:
        if file.size > MAX_FILE_BYTES:
            return True
        if self.identical.get(file.name) != file.e_tag:
            if self.compared == MAX_COMPARED_FILES:
                self.undecided += 1
                return False
            self.compared += 1
            if self._sha256(file) != sha256:
                return True
        self.confirmed[file.name] = file.e_tag
        return False

    def _sha256(self, file: LandedFile) -> str | None:
        try:
            return hashlib.sha256(self.read(file.name)).hexdigest()
        except StorageError:  # its day is due: the run that ingests it says why, and fails alone
            return None


@dataclass(frozen=True)
class DayRange:
    """Adjacent survey days, both ends included."""

    first: str
    last: str

    def __contains__(self, day: str) -> bool:
        return self.first <= day <= self.last


def plan_ranges(
    days: Iterable[str], *, alone: Collection[str] = (), limit: int
) -> tuple[DayRange, ...]:
    """Cover the days by at most ``limit`` ranges, the oldest first.

    Args:
        days: ISO dates that are due.
        alone: Days that failed before; each gets a range of its own, so that it fails no other.
        limit: The most ranges to plan now; days left over are planned at the next look.
    """
    ranges: list[DayRange] = []
    for day in sorted(set(days) - set(alone)):
        if ranges and _bridgeable(ranges[-1].last, day, alone):
            ranges[-1] = DayRange(ranges[-1].first, day)
        else:
            ranges.append(DayRange(day, day))
    ranges += [DayRange(day, day) for day in sorted(set(alone) & set(days))]
    return tuple(ranges[:limit])


def _bridgeable(last: str, following: str, alone: Collection[str]) -> bool:
    gap = date.fromisoformat(following) - date.fromisoformat(last)
    return gap.days <= MAX_BRIDGED_DAYS and not any(last < day < following for day in alone)
