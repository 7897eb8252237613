"""A Parquet file that begins with rows that are kept, copied as bytes: see `lake.kept_rows`."""

from __future__ import annotations

import os
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from abalone_assets.etl.parquet_output import ROW_GROUP_ROWS, arrow_table, parquet_writer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from abalone_assets.lake.kept_rows import KeptRows

_MAGIC: Final = b"PAR1"
_COPIED_AT_ONCE: Final = 2**20
_ROOM: Final = 2**20
"""For the footer, and whatever a page has beside its values."""


class ExtendedFile:
    """A Parquet file of kept rows and few others behind them.

    Args:
        path: Is written anew.
        schema: The columns of the rows.
        kept: What it begins with.
    """

    def __init__(self, path: Path, schema: pl.Schema, kept: KeptRows) -> None:
        self._path, self._schema, self._kept = path, schema, kept
        self._rows = pl.DataFrame(schema=schema)

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows behind those before; they stay in memory until the end."""
        self._rows.vstack(rows.select(self._schema.names()), in_place=True)

    def close(self, _note: Mapping[str, Any] | None = None) -> None:
        """Write all; the note is that of the kept rows.

        Raises:
            OSError: The file system refuses.
        """
        _copy(self._kept.path, self._path, self._kept.size)
        if not len(self._rows):
            return
        footer = self._kept.footer()
        end, added = self._write_rows()
        footer.append_row_groups(added)
        written = BytesIO()
        footer.write_metadata_file(written)  # a file of nothing else
        with self._path.open("r+b") as file:
            file.truncate(end)
            file.seek(end)
            file.write(written.getvalue()[len(_MAGIC) :])

    def _write_rows(self) -> tuple[int, Any]:
        """Write the added rows; where they end, and their own footer.

        The writer begins at the beginning, or it refuses, and notes where in the stream it is. In a
        map of the file it can be taken to the end of the kept rows meanwhile.
        """
        import pyarrow as pa

        _make_room(self._path, 2 * int(self._rows.estimated_size()) + _ROOM)
        footers: list[Any] = []
        with pa.memory_map(str(self._path), "r+") as stream:
            writer = parquet_writer(stream, self._schema, metadata_collector=footers)
            stream.seek(self._kept.size)
            writer.write_table(arrow_table(self._rows), row_group_size=ROW_GROUP_ROWS)
            end: int = stream.tell()
            writer.close()
        return end, footers[0]


def _make_room(path: Path, size: int) -> None:
    """Make a file longer: really written, since a full disk kills whoever writes to a map of it.

    Raises:
        OSError: The file system refuses.
    """
    with path.open("ab") as file:
        file.write(bytes(size))


def _copy(source: Path, target: Path, size: int) -> None:
    """Copy so many bytes, in the kernel where it can: some file systems then share them.

    Where it stops, both files are at the place to go on from.
    """
    with source.open("rb") as old, target.open("wb") as new:
        left = size
        with suppress(AttributeError, OSError):  # not on this system, not on this file system
            while left and (moved := os.copy_file_range(old.fileno(), new.fileno(), left)):
                left -= moved
        while left and (data := old.read(min(left, _COPIED_AT_ONCE))):
            new.write(data)
            left -= len(data)
