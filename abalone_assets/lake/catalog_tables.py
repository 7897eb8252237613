"""The tables of the catalog file: rows as they were read, and from which object each of them is."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError
from abalone_assets.lake.catalog_kept_rows import NOTES, note_kept_rows, replace_added_rows
from abalone_assets.lake.catalog_sql import quoted_name, row_columns, table_columns, table_of
from abalone_assets.lake.names import CATALOG_SCHEMA, partition_column
from abalone_assets.lake.tables import data_objects, day_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import polars as pl

    from abalone_assets.lake.lake import Lake

_OBJECTS: Final = f"{CATALOG_SCHEMA}._objects"
"""From which write of which object each table's rows are."""

OBJECTS_AT_ONCE: Final = 500


def update_tables(connection: duckdb.DuckDBPyConnection, lake: Lake, *, anew: bool) -> list[str]:
    """Bring tables and views up to date as one transaction; returns the tables' names."""
    import duckdb

    objects = data_objects(lake)
    connection.begin()
    try:
        if anew:
            connection.execute(f"drop schema if exists {CATALOG_SCHEMA} cascade")
        connection.execute(f"create schema if not exists {CATALOG_SCHEMA}")
        connection.execute(
            f"create table if not exists {_OBJECTS} (asset varchar, key varchar, e_tag varchar)"
        )
        connection.execute(
            f"create table if not exists {NOTES} (asset varchar, rows bigint, digest varchar)"
        )
        known = known_objects(connection) or {}
        for gone in known.keys() - objects:
            connection.execute(f"drop view if exists main.{quoted_name(gone)}")
            connection.execute(f"drop table if exists {table_of(gone)}")
            for notes in (_OBJECTS, NOTES):
                connection.execute(f"delete from {notes} where asset = ?", [gone])
        for asset, found in sorted(objects.items()):
            wanted = {key: stored.e_tag for key, stored in found.items()}
            _load(connection, lake, asset, wanted, known.get(asset, {}))
            view = f"main.{quoted_name(asset)}"
            connection.execute(f"create or replace view {view} as from {table_of(asset)}")
        connection.commit()
    except BaseException:
        with suppress(duckdb.Error):  # an error of DuckDB's own may have ended it already
            connection.rollback()
        raise
    return sorted(objects)


def _load(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    asset: str,
    wanted: Mapping[str, str],
    known: Mapping[str, str],
) -> None:
    """Read what was written since the last refresh."""
    if wanted == known:
        return
    key = lake.key(asset)
    if wanted.keys() != {key}:
        _load_days(connection, lake, asset, wanted, known)
    elif key in known and replace_added_rows(connection, lake, asset, wanted[key]):
        _note_objects(connection, asset, [key], [key], wanted)
    else:
        _, rows = _read(lake, [key])
        _create(connection, lake, asset, rows)
        note_kept_rows(connection, lake, asset, wanted[key])
        _note_objects(connection, asset, list(known), [key], wanted)


def _load_days(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    asset: str,
    wanted: Mapping[str, str],
    known: Mapping[str, str],
) -> None:
    """Read the days that were written since; with other columns, all."""
    table = table_of(asset)
    columns = table_columns(connection, asset)
    changed = [key for key in wanted if wanted[key] != known.get(key)]
    read, rows = _read(lake, changed)
    incoming = row_columns(connection, rows) if rows is not None else {}
    anew = not columns or not incoming.items() <= columns.items()
    if anew and len(changed) < len(wanted):
        read, rows = _read(lake, list(wanted))
    stale = [key for key in known if anew or known[key] != wanted.get(key)]
    if anew:
        _create(connection, lake, asset, rows)
    else:
        days = [day for key in stale if (day := day_of(key))]
        if len(days) < len(stale):
            connection.execute(f"delete from {table}")
        elif days:
            connection.execute(
                f"delete from {table} where {partition_column(asset)} "
                "in (select unnest(?::date[]))",
                [days],
            )
        if rows is not None:
            connection.register("incoming", rows)
            connection.execute(f"insert into {table} by name from incoming")
            connection.unregister("incoming")
    _note_objects(connection, asset, stale, read, wanted)


def _create(
    connection: duckdb.DuckDBPyConnection, lake: Lake, asset: str, rows: pl.DataFrame | None
) -> None:
    """Make a table anew, its rows in this order."""
    if rows is None:
        raise StorageError(f"{lake.folder_uri(asset)}: was deleted while it was read")
    connection.register("incoming", rows)
    connection.execute(f"create or replace table {table_of(asset)} as from incoming")
    connection.unregister("incoming")


def _note_objects(
    connection: duckdb.DuckDBPyConnection,
    asset: str,
    stale: list[str],
    read: list[str],
    wanted: Mapping[str, str],
) -> None:
    """Note of which objects a table is now, and of which it is no more."""
    connection.execute(
        f"delete from {_OBJECTS} where asset = ? and key in (select unnest(?))", [asset, stale]
    )
    if read:
        tokens = [wanted[key] for key in read]
        connection.execute(
            f"insert into {_OBJECTS} select ?, unnest(?), unnest(?)", [asset, read, tokens]
        )


def _read(lake: Lake, keys: list[str]) -> tuple[list[str], pl.DataFrame | None]:
    """The objects that are still there, and their rows.

    Each is read in one piece, so one that is rewritten meanwhile is the old or the new one. By
    name: a day that was ingested before a column was added has nulls in it.
    """
    import polars as pl

    read, frames = list[str](), list[pl.DataFrame]()
    for start in range(0, len(keys), OBJECTS_AT_ONCE):
        several = keys[start : start + OBJECTS_AT_ONCE]
        found = {key: data for key in several if (data := _bytes_of(lake, key)) is not None}
        read += found
        frames += _frames_of(lake, found)
    if not frames:
        return [], None
    try:
        rows = pl.concat(frames, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        folder = lake.store.uri_of(keys[0].partition("/")[0])
        raise StorageError(f"{folder}: its objects do not fit together: {error}") from error
    days = [day and date.fromisoformat(day) for day in map(day_of, read)]
    if any(days):
        lengths = [len(frame) for frame in frames]
        of_rows = [day for day, length in zip(days, lengths, strict=True) for _ in range(length)]
        column = partition_column(keys[0].partition("/")[0])
        rows = rows.with_columns(pl.Series(column, of_rows, dtype=pl.Date))
        rows = rows.select(pl.exclude(column), column)
    return read, rows


def _bytes_of(lake: Lake, key: str) -> bytes | None:
    try:
        return lake.store.read(key)
    except StorageError:
        if lake.store.find(key) is None:
            return None
        raise


def _frames_of(lake: Lake, objects: Mapping[str, bytes]) -> list[pl.DataFrame]:
    """The rows of each object, all in one go: on its own, each takes twice as long."""
    import polars as pl

    def rows_of(data: bytes) -> pl.LazyFrame:
        return pl.scan_parquet(BytesIO(data), hive_partitioning=False)

    with suppress(OSError, pl.exceptions.PolarsError):
        return pl.collect_all(map(rows_of, objects.values()))
    frames = []
    for key, data in objects.items():  # which one is it?
        try:
            frames.append(rows_of(data).collect())
        except (OSError, pl.exceptions.PolarsError) as error:
            uri = lake.store.uri_of(key)
            raise StorageError(f"{uri}: cannot read this Parquet object: {error}") from error
    return frames


def known_objects(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]] | None:
    """The token of each object that the tables' rows are from; None in a file without them."""
    import duckdb

    try:
        rows = connection.execute(f"select asset, key, e_tag from {_OBJECTS}").fetchall()
    except duckdb.CatalogException:
        return None
    known: dict[str, dict[str, str]] = {}
    for asset, key, e_tag in rows:
        known.setdefault(asset, {})[key] = e_tag
    return known
