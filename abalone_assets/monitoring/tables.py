"""The rows that monitoring looks at, read from the lake: captured requests and later surveys."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import schema_of
from abalone_assets.lake.last_drift import LastDrift
from abalone_assets.lake.names import CAPTURED_REQUESTS

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake


def captured_rows(lake: Lake, newest_days: int | None = None) -> pl.DataFrame:
    """The captured requests of the newest days that the lake has any of, or of all.

    Raises:
        StorageError: The lake refuses, or a partition is damaged.
    """
    days = list(LastDrift(lake).kept_days())
    return _rows(lake, CAPTURED_REQUESTS, days[-newest_days:] if newest_days else days)


def asked_and_surveyed(lake: Lake) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All captured requests, and the survey days from the first of them on.

    Raises:
        StorageError: As `captured_rows`.
    """
    asked = captured_rows(lake)
    told = asked["asked_at"].drop_nulls()
    if told.is_empty():
        return asked, pl.DataFrame(schema=schema_of("new_surveys"))
    first = told.dt.date().min()
    assert isinstance(first, date)  # noqa: S101 - of a column of dates
    days = [day for day in lake.manifest().days_with_rows if day >= first.isoformat()]
    return asked, _rows(lake, "new_surveys", days)


def _rows(lake: Lake, asset: str, days: list[str]) -> pl.DataFrame:
    if not days:
        return pl.DataFrame(schema=schema_of(asset))
    uris = [lake.uri(asset, day) for day in days]
    try:
        scan = pl.scan_parquet(uris, glob=False, hive_partitioning=False)
        return scan.select(list(schema_of(asset))).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(f"{lake.folder_uri(asset)}: cannot be read: {error}") from error
