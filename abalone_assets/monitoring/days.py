"""Which days of captured requests are in the lake, and which are due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from abalone_assets.lake.names import CAPTURED_REQUESTS
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.lake.lake import Lake
    from abalone_assets.monitoring.captures import Captures

DAYS_KEY: Final = f"{CAPTURED_REQUESTS}/_days.json"

LATE: Final = timedelta(days=2)
"""How long a day is looked at again: captures are written some time after the requests."""


@dataclass(frozen=True)
class ReadDays:
    """The days in the lake.

    Attributes:
        files: Number of capture files that were read of each day, by ISO date.
    """

    files: dict[str, int]


def read_days(lake: Lake) -> ReadDays:
    """What was read so far.

    Raises:
        StorageError: The lake refuses, or the record is damaged.
    """
    document = lake.store.read_json(DAYS_KEY)
    if document is None:
        return ReadDays({})
    return record_of(ReadDays, document, lake.store.uri_of(DAYS_KEY), remedy="delete it")


def record_days(lake: Lake, files: Mapping[str, int]) -> None:
    """Record that days were read; the others stay as they are.

    Raises:
        StorageError: The lake refuses.
    """

    def change(document: dict[str, dict[str, int]] | None) -> object:
        return {"files": dict(sorted({**(document or {}).get("files", {}), **files}.items()))}

    lake.store.update_json(DAYS_KEY, change)


def due_days(captures: Captures, lake: Lake, today: date, first: date) -> list[str]:
    """The ended days, in order, with captures that are not in the lake.

    Days that are over for `LATE` are believed once they were read.

    Raises:
        StorageError: Captures or lake cannot be read.
    """
    read = read_days(lake).files
    return [
        day.isoformat()
        for day, files in captures.files_by_day().items()
        if first <= day < today
        and (
            day.isoformat() not in read or (today - day <= LATE and files != read[day.isoformat()])
        )
    ]


def delete_old(captures: Captures, lake: Lake, before: date) -> list[str]:
    """Remove the capture files of older days, all of which were read; returns these days.

    Raises:
        StorageError: Captures or lake refuse.
    """
    read = read_days(lake).files
    old = [
        day
        for day, files in captures.files_by_day().items()
        if day < before and read.get(day.isoformat()) == files
    ]
    for day in old:
        captures.delete(day)
    return [day.isoformat() for day in old]
