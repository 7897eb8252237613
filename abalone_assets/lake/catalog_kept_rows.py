"""Tables of the catalog file that begin with kept rows: of these, only what was added is read.

A table holds an object's rows in their order, so its first row ids are those of the kept rows; see
`lake.kept_rows`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from abalone_assets.lake.catalog_sql import row_columns, table_columns, table_of
from abalone_assets.lake.names import CATALOG_SCHEMA

if TYPE_CHECKING:
    import duckdb

    from abalone_assets.lake.kept_rows import KeptRows
    from abalone_assets.lake.lake import Lake

NOTES: Final = f"{CATALOG_SCHEMA}._kept_rows"
"""With how many kept rows a table begins, and their digest."""


def replace_added_rows(
    connection: duckdb.DuckDBPyConnection, lake: Lake, asset: str, e_tag: str
) -> bool:
    """Replace what a table has behind the kept rows by what its object has.

    Args:
        connection: Of the catalog file.
        lake: Holds the object.
        asset: The asset, which is one object.
        e_tag: Of which write of the object the table is to be.

    Returns:
        Whether that is done. It is not where the table begins with other rows: make it anew then.
    """
    from pyarrow import ArrowException

    found = _kept_rows(lake, asset)
    noted = connection.execute(
        f"select rows, digest from {NOTES} where asset = ?", [asset]
    ).fetchall()
    if found is None or noted != [(found.rows, found.digest)]:
        return False
    try:
        rows = found.added()
    except (OSError, ArrowException):  # damaged, which is told when all of it is read
        return False
    is_of_it = table_columns(connection, asset) == row_columns(connection, rows)
    if not (is_of_it and _is_still(lake, asset, e_tag)):
        return False
    table = table_of(asset)
    connection.execute(f"delete from {table} where rowid >= ?", [found.rows])
    left = connection.execute(f"select count(*) from {table}").fetchall()
    if left != [(found.rows,)]:  # somebody has deleted some
        return False
    connection.register("added", rows)
    connection.execute(f"insert into {table} by name from added")
    connection.unregister("added")
    return True


def note_kept_rows(
    connection: duckdb.DuckDBPyConnection, lake: Lake, asset: str, e_tag: str
) -> None:
    """Note with which kept rows a table begins that was made of this write of its object."""
    connection.execute(f"delete from {NOTES} where asset = ?", [asset])
    found = _kept_rows(lake, asset)
    if found is not None and _is_still(lake, asset, e_tag):
        note = [asset, found.rows, found.digest]
        connection.execute(f"insert into {NOTES} values (?, ?, ?)", note)


def _kept_rows(lake: Lake, asset: str) -> KeptRows | None:
    from abalone_assets.lake.kept_rows import KeptRows

    root = lake.store.root
    with suppress(OSError, ValueError):  # damaged
        return KeptRows.of(root / lake.key(asset)) if root is not None else None
    return None


def _is_still(lake: Lake, asset: str, e_tag: str) -> bool:
    stored = lake.store.find(lake.key(asset))
    return stored is not None and stored.e_tag == e_tag
