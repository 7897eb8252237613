"""Which survey days are ingested in one run: ranges of days that are due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

MAX_RANGE_DAYS: Final = 366
MAX_BRIDGED_DAYS: Final = 31
"""A gap of days that are not due is ingested along when it joins two ranges: one run, not two. Its
days then show as ingested, without a row, so it is done only where there would be too many runs."""


@dataclass(frozen=True)
class DayRange:
    """Adjacent survey days, both ends included."""

    first: str
    last: str

    def __contains__(self, day: str) -> bool:
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first} to {self.last}"


def plan_ranges(
    days: Iterable[str],
    *,
    failed: Mapping[str, DayRange] | None = None,
    apart: Collection[str] = (),
    limit: int,
) -> tuple[DayRange, ...]:
    """Cover the days by at most ``limit`` ranges: first those that never failed, oldest first.

    Ranges of no other days where these are few enough, else joined across gaps.

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
    fresh = sorted(due - failed.keys())
    ranges = _joined(fresh, {*apart, *failed}, bridged=1)
    if len(ranges) > limit:
        ranges = _joined(fresh, {*apart, *failed})
    for group in groups.values():
        middle = (len(group) + 1) // 2
        for half in (group[:middle], group[middle:]):
            ranges += _joined(half, {*apart, *failed, *due} - set(half))
    return tuple(ranges[:limit])


def _joined(
    days: Sequence[str], apart: Collection[str], *, bridged: int = MAX_BRIDGED_DAYS
) -> list[DayRange]:
    """Ranges that cover the days, joined with those at most so many days later."""
    ranges: list[DayRange] = []
    for day in days:
        if ranges and _may_join(ranges[-1], day, apart, bridged):
            ranges[-1] = DayRange(ranges[-1].first, day)
        else:
            ranges.append(DayRange(day, day))
    return ranges


def _may_join(days: DayRange, day: str, apart: Collection[str], bridged: int) -> bool:
    first, last, following = map(date.fromisoformat, (days.first, days.last, day))
    return (
        (following - last).days <= bridged
        and (following - first).days < MAX_RANGE_DAYS
        and not any(days.last < between < day for between in apart)
    )
