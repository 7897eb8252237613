"""Which days of captured requests are in the lake, and which are due."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Final

import polars as pl

from abalone_assets.errors import DamagedError
from abalone_assets.ingest.frames import schema_of, to_parquet
from abalone_assets.lake.last_drift import DAYS_KEY, LastDrift
from abalone_assets.lake.names import CAPTURED_REQUESTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.lake.lake import Lake
    from abalone_assets.monitoring.captures import Captures

LATE: Final = timedelta(days=2)
"""How long a day is looked at again: captures are written some time after the requests."""


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
    read = LastDrift(lake).days().files
    return [
        day.isoformat()
        for day, files in captures.files_by_day().items()
        if first <= day < today
        and (
            day.isoformat() not in read or (today - day <= LATE and files != read[day.isoformat()])
        )
    ]


def read_day(captures: Captures, lake: Lake, day: str) -> pl.DataFrame | None:
    """Read a day's capture files; None when there are none and the lake has their rows.

    Rows that the lake has of files that are gone, as they are after some months, are kept.

    Raises:
        DamagedError: What the lake has of the day cannot be read.
        StorageError: Captures or lake refuse.
    """
    keys = captures.files_of(date.fromisoformat(day))
    earlier = _rows(lake, day)
    if not keys and earlier is not None:
        return None
    rows = captures.read(keys)
    if earlier is not None:
        rows = pl.concat([earlier.filter(~pl.col("source_file").is_in(keys)), rows])
    lake.store.write(lake.key(CAPTURED_REQUESTS, day), to_parquet(rows))
    record_days(lake, {day: len(keys)})
    return rows


def delete_old(captures: Captures, lake: Lake, before: date) -> list[str]:
    """Remove the capture files of older days whose rows are in the lake; returns these days.

    Those of a day whose rows are damaged stay: they tell what these were.

    Raises:
        StorageError: Captures or lake refuse.
    """
    ended = []
    for day in captures.files_by_day():
        read: list[str] = []
        with suppress(DamagedError):
            read = read_files(captures, lake, day) if day < before else []
        captures.delete(read)
        ended += [day.isoformat()] if read else []
    return ended


def read_files(captures: Captures, lake: Lake, day: date, rows_from: date = date.min) -> list[str]:
    """The capture files of a day whose rows are in the lake, or were until they were too old.

    Args:
        captures: The files.
        lake: Where the rows are.
        day: The day.
        rows_from: The first day whose rows are kept.

    Raises:
        DamagedError: What the lake has of the day cannot be read.
        StorageError: Captures or lake refuse.
    """
    rows, files = _rows(lake, day.isoformat()), list(captures.files_of(day))
    if rows is not None:
        return sorted(set(rows["source_file"]) & set(files))
    were_read = LastDrift(lake).days().files.get(day.isoformat()) == len(files)
    return files if day < rows_from and were_read else []


def _rows(lake: Lake, day: str) -> pl.DataFrame | None:
    """What the lake has of a day.

    Raises:
        DamagedError: It is no table of captured requests.
        StorageError: The lake refuses.
    """
    key = lake.key(CAPTURED_REQUESTS, day)
    if lake.store.find(key) is None:
        return None
    data = lake.store.read(key)
    try:
        return pl.read_parquet(BytesIO(data)).select(list(schema_of(CAPTURED_REQUESTS)))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DamagedError(
            f"{lake.store.uri_of(key)}: cannot be read ({' '.join(str(error).split())}): delete it "
            f"and materialize {CAPTURED_REQUESTS} of {day} again, while its capture files are there"
        ) from error
