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
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from abalone_assets.ingest.landing_zone import LandedFile, Landing
    from abalone_assets.lake.manifest import IngestedDay, Manifest

MAX_COMPARED_FILES: Final = 200
MAX_COMPARED_BYTES: Final = 2**28
"""Rewritten files read at one look to see whether their bytes changed; the rest wait."""

MAX_VANISHED_DAYS: Final = 10
"""Days that may lose all their files at once; more look like a landing zone that went away."""

MAX_RANGE_DAYS: Final = 366
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
        vanished: Days that lost all their files, too many at once to believe it. They keep what
            the lake holds of them until a person has them ingested.
    """

    days: tuple[str, ...]
    identical: Mapping[str, str]
    undecided: int = 0
    vanished: tuple[str, ...] = ()


def find_due(
    landing: Landing,
    manifest: Manifest,
    read: Callable[[str], bytes],
    *,
    identical: Mapping[str, str] | None = None,
) -> Due:
    """Compare the landing zone with the manifest, for the days that the landing was looked at.

    Args:
        landing: What has landed.
        manifest: What the lake holds.
        read: Reads a landed file; called only for files rewritten with their size unchanged.
        identical: The ``identical`` of the look before.
    """
    comparison = _Comparison(read, dict(identical or {}))
    known = {
        day: entry
        for day, entry in manifest.days.items()
        if landing.covers(day) and (entry.files or not entry.digest)
    }
    vanished = tuple(sorted(day for day in known if known[day].files and day not in landing.days))
    if len(vanished) <= MAX_VANISHED_DAYS:
        vanished = ()
    days = [
        day
        for day in sorted((known.keys() | landing.days.keys()) - set(vanished))
        if comparison.differs(landing.days.get(day, ()), manifest.days.get(day))
    ]
    return Due(tuple(days), comparison.confirmed, comparison.undecided, vanished)


class _Comparison:
    def __init__(self, read: Callable[[str], bytes], identical: dict[str, str]) -> None:
        self.read = read
        self.identical = identical
        self.confirmed: dict[str, str] = {}
        self.compared_files = 0
        self.compared_bytes = 0
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
            if (
                self.compared_files >= MAX_COMPARED_FILES
                or self.compared_bytes >= MAX_COMPARED_BYTES
            ):
                self.undecided += 1
                return False
            self.compared_files += 1
            self.compared_bytes += file.size
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
    days: Iterable[str],
    *,
    failed: Mapping[str, DayRange] | None = None,
    apart: Collection[str] = (),
    limit: int,
) -> tuple[DayRange, ...]:
    """Cover the days by at most ``limit`` ranges: first those that never failed, oldest first.

    Args:
        days: ISO dates that are due.
        failed: The range of the failed run that a day was in. What failed together is tried again
            in halves, so that one bad day is found in a few runs and holds up no other.
        apart: Days that no range may bridge.
        limit: The most ranges to plan now; days left over are planned at the next look.
    """
    failed = failed or {}
    due, groups = set(days), dict[DayRange, list[str]]()
    for day in sorted(due & failed.keys()):
        groups.setdefault(failed[day], []).append(day)
    ranges = _joined(sorted(due - failed.keys()), {*apart, *failed})
    for group in groups.values():
        middle = (len(group) + 1) // 2
        for half in (group[:middle], group[middle:]):
            ranges += _joined(half, {*apart, *failed, *due} - set(half))
    return tuple(ranges[:limit])


def _joined(days: Sequence[str], apart: Collection[str]) -> list[DayRange]:
    """Ranges that cover the days, joined across gaps that may be bridged."""
    ranges: list[DayRange] = []
    for day in days:
        if ranges and _may_join(ranges[-1], day, apart):
            ranges[-1] = DayRange(ranges[-1].first, day)
        else:
            ranges.append(DayRange(day, day))
    return ranges


def _may_join(days: DayRange, day: str, apart: Collection[str]) -> bool:
    first, last, following = map(date.fromisoformat, (days.first, days.last, day))
    return (
        (following - last).days <= MAX_BRIDGED_DAYS
        and (following - first).days < MAX_RANGE_DAYS
        and not any(days.last < between < day for between in apart)
    )
