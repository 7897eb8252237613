"""Rows at the beginning of a local Parquet file that stay when others are added behind them.

Such a file begins with a whole Parquet file, its footer included. The row groups of the added rows
follow, then a footer of all. Readers go by the last footer. Whoever adds other rows the next time
copies the file at the beginning, as bytes: none of its rows is read or encoded again.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from abalone_assets.etl.parquet_output import NOTE, ROW_GROUP_ROWS, arrow_table, parquet_writer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_MAGIC: Final = b"PAR1"
_COPIED_AT_ONCE: Final = 2**20
_ROOM: Final = 2**20
"""For the footer, and whatever a page has beside its values."""


@dataclass(frozen=True)
class KeptRows:
    """The rows at the beginning of a file.

    Attributes:
        path: The file.
        size: How many of its bytes they are, as a Parquet file of their own.
        rows: How many they are.
        row_groups: In how many row groups.
        note: What was noted of them.
    """

    path: Path
    size: int
    rows: int
    row_groups: int
    note: Mapping[str, Any]

    @classmethod
    def of(cls, path: Path) -> KeptRows | None:
        """Those of a file; None when there is none, or it was written without a note.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no Parquet file (PyArrow's error is both).
        """
        import pyarrow.parquet as pq

        if not path.is_file():
            return None
        metadata = pq.read_metadata(path)
        noted = (metadata.metadata or {}).get(NOTE.encode())
        if noted is None:
            return None
        note = json.loads(noted)
        groups = note.pop("row_groups")
        size = path.stat().st_size
        if metadata.num_row_groups > groups:
            size = _start(metadata.row_group(groups))
        rows = sum(metadata.row_group(group).num_rows for group in range(groups))
        return cls(path, size, rows, groups, note)

    def footer(self) -> Any:  # noqa: ANN401 - PyArrow has no types
        """Their own footer."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pa.memory_map(str(self.path)) as file:
            return pq.read_metadata(pa.BufferReader(file.read_buffer(self.size)))

    def take(self, places: NDArray[np.int64]) -> pl.DataFrame:
        """Some of the rows, by their places in ascending order; reads the row groups they are in.

        Raises:
            OSError: The file cannot be read, or is damaged.
        """
        import pyarrow.parquet as pq

        file = pq.ParquetFile(self.path)
        groups = map(file.metadata.row_group, range(self.row_groups))
        ends = np.cumsum([group.num_rows for group in groups])
        of_place = np.searchsorted(ends, places, "right")
        read = np.unique(of_place)
        rows = pl.DataFrame(file.read_row_groups(read.tolist()))
        sizes = np.diff(ends, prepend=0)[read]
        skipped = ends[read] - np.cumsum(sizes)  # rows before each group that were not read
        taken: pl.DataFrame = rows[places - skipped[np.searchsorted(read, of_place)]]
        return taken


def _start(row_group: Any) -> int:  # noqa: ANN401 - PyArrow has no types
    column = row_group.column(0)
    found: list[int | None] = [column.dictionary_page_offset, column.data_page_offset]
    return min(offset for offset in found if offset)


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
