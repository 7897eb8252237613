"""All outputs of a preparation on one machine, written beside each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Self

import narwhals as nw

from abalone_assets.etl.extended_file import ExtendedFile
from abalone_assets.etl.parquet_output import ParquetFile
from abalone_assets.etl.preparation import bucketed, split
from abalone_assets.etl.request import MERGED
from abalone_assets.ingest.frames import schema_of
from abalone_assets.survey.origin import SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl

    from abalone_assets.lake.kept_rows import KeptRows

_AT_ONCE: Final = 2
"""Most rows are in two outputs: all of them, and those to learn from."""


class Outputs:
    """``merged_dataset`` and its splits.

    Args:
        files: What to write, by the output's name.
        after: What they begin with.
    """

    def __init__(
        self, files: Mapping[str, Path], after: Mapping[str, KeptRows] | None = None
    ) -> None:
        self._files: dict[str, ParquetFile | ExtendedFile] = {
            name: ExtendedFile(path, schema_of(name), after[name])
            if after
            else ParquetFile(path, schema_of(name))
            for name, path in files.items()
        }
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self.synthetic_rows = 0
        """Simulated ones among the rows that were added."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def add(self, rows: pl.DataFrame) -> None:
        """Add hashed rows behind those before, each to its outputs."""
        block = bucketed(nw.from_native(rows.lazy())).to_native().collect()
        self.synthetic_rows += int((block["origin"] == SYNTHETIC).sum())

        def add_to(name: str, file: ParquetFile | ExtendedFile) -> None:
            lazy = nw.from_native(block.lazy())
            part = lazy if name == MERGED else split(lazy, name)
            file.add(part.to_native().collect())

        list(self._pool.map(add_to, self._files.keys(), self._files.values()))

    def close(self, note: Mapping[str, Any] | None = None) -> None:
        """Finish the files, with a note if their rows are to be kept."""
        list(self._pool.map(lambda file: file.close(note), self._files.values()))
