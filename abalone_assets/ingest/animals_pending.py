"""Old days of animals without rings that looks go on looking at, in a document of the lake.

One queue tells of all files that landed on S3, and ``survey_sensor`` reads it: what it hears of
animals it puts down here, where ``animals_sensor`` finds it. A day stays until a look has found
that the lake holds what landed. Losing the document costs the wait for the next look at everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from abalone_assets.storage.object_store import ObjectStore

PENDING_KEY: Final = "landing_zone/_animals_pending.json"


@dataclass(frozen=True)
class _Pending:
    days: tuple[date, ...] = ()


def pending_days(store: ObjectStore) -> frozenset[date]:
    """The days to look at.

    Raises:
        StorageError: The document is not JSON, or the store refuses.
    """
    return _days_in(store.read_json(PENDING_KEY))


def add_pending(store: ObjectStore, days: Iterable[date]) -> None:
    """Have the next look at animals look at these days, too.

    Raises:
        StorageError: The store refuses.
    """
    more = frozenset(days)
    if not more <= pending_days(store):
        _update(store, lambda known: known | more)


def settle_pending(
    store: ObjectStore,
    known: frozenset[date],
    looked_at: Callable[[date], bool],
    due: Iterable[date],
) -> None:
    """Let go of the days that a look has looked at, but for those that are due.

    Args:
        store: Of the lake.
        known: The days as they were read before the look; nothing is read where they stay.
        looked_at: Whether there is nothing left to know of a day.
        due: Days to look at until they are in the lake.

    Raises:
        StorageError: The store refuses.
    """
    still = frozenset(due)

    def change(days: frozenset[date]) -> frozenset[date]:
        return still | {day for day in days if not looked_at(day)}

    if change(known) != known:
        _update(store, change)


def _update(store: ObjectStore, change: Callable[[frozenset[date]], frozenset[date]]) -> None:
    store.update_json(
        PENDING_KEY,
        lambda document: {"days": [day.isoformat() for day in sorted(change(_days_in(document)))]},
    )


def _days_in(document: object) -> frozenset[date]:
    try:
        return frozenset(record_of(_Pending, document or {}, PENDING_KEY, remedy="delete it").days)
    except StorageError:
        return frozenset()
