"""Rows at the beginning of a local Parquet file that stay when others are added behind them.

Such a file begins with a whole Parquet file, its footer included. The row groups of the added rows
follow, then a footer of all. Readers go by the last footer. Whoever adds other rows the next time
copies the file at the beginning, as bytes: none of its rows is read or encoded again. And whoever
has read these rows once need not do so again while their `KeptRows.digest` is the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

NOTE: Final = "abalone_kept_rows"
"""Key of what a file's footer says of its rows, which are kept then."""

_FOOTER_END: Final = 8
"""Bytes after a footer: its length, in four of them, and Parquet's magic word."""


@dataclass(frozen=True)
class KeptRows:
    """The rows at the beginning of a file.

    Attributes:
        path: The file.
        size: How many of its bytes they are, as a Parquet file of their own.
        rows: How many they are.
        row_groups: In how many row groups.
        note: What was noted of them.
        digest: SHA-256 of their own footer, which holds the note and, of each column of each row
            group, its place, its size, its least and its greatest value.
    """

    path: Path
    size: int
    rows: int
    row_groups: int
    note: Mapping[str, Any]
    digest: str

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
        return cls(path, size, rows, groups, note, _footer_digest(path, size))

    def footer(self) -> Any:  # noqa: ANN401 - PyArrow has no types
        """Their own footer."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pa.memory_map(str(self.path)) as file:
            return pq.read_metadata(pa.BufferReader(file.read_buffer(self.size)))

    def added(self) -> pl.DataFrame:
        """The rows behind them.

        Raises:
            OSError: The file cannot be read, or is damaged.
        """
        import pyarrow.parquet as pq

        file = pq.ParquetFile(self.path)
        behind = range(self.row_groups, file.metadata.num_row_groups)
        return pl.DataFrame(file.read_row_groups(list(behind)))

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


def _footer_digest(path: Path, size: int) -> str:
    """Of the footer of the first ``size`` bytes of a file, which are a Parquet file."""
    with path.open("rb") as file:
        file.seek(size - _FOOTER_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(size - _FOOTER_END - length)
        return hashlib.sha256(file.read(length)).hexdigest()
