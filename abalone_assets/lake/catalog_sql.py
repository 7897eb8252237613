"""What statements on the catalog file have in common: names, and columns with their types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.lake.names import CATALOG_SCHEMA

if TYPE_CHECKING:
    import duckdb
    import polars as pl


def quoted_name(identifier: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + identifier.replace('"', '""') + '"'


def table_of(asset: str) -> str:
    """The name of an asset's table as SQL takes it."""
    return f"{CATALOG_SCHEMA}.{quoted_name(asset)}"


def table_columns(connection: duckdb.DuckDBPyConnection, asset: str) -> dict[str, str]:
    """The columns of an asset's table with their types; none when there is no table."""
    return dict(
        connection.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = ? "
            "and table_name = ? and database_name = current_database()",
            [CATALOG_SCHEMA, asset],
        ).fetchall()
    )


def row_columns(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> dict[str, str]:
    """The columns that a table of these rows would have."""
    connection.register("incoming", rows)
    described = connection.execute("describe from incoming").fetchall()
    connection.unregister("incoming")
    return {name: kind for name, kind, *_ in described}
