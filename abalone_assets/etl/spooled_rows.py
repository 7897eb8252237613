"""More rows than memory holds, dealt to files by ranges of their hash, to be read range by range.

All rows of a hash are in one file, and the files are in the order of the rows: what is made of each
on its own is, one after the other, what would be made of all.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from abalone_assets.etl.parquet_output import arrow_table
from abalone_assets.survey.splits import HASH_MODULUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PART_ROWS: Final = 5_000_000
"""How many rows a file gets, about: some 100 bytes each, several times over."""


@contextmanager
def spooled(
    rows: Iterable[pl.DataFrame], count: int, folder: str | None
) -> Iterator[Iterator[pl.DataFrame]]:
    """Hashed rows by ranges of their hash, in ascending order of it.

    Args:
        rows: The rows, so many at a time as memory holds.
        count: How many they are, about.
        folder: Where to make the files, as it is on a disk with room; this machine's own folder for
            temporary files when None.

    Raises:
        OSError: The file system refuses.
    """
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix="spool-", dir=folder) as place:
            parts = -(-count // PART_ROWS)
            files = [Path(place, f"{part:04}.arrows") for part in range(parts)]
            _deal(rows, files)
            yield _read(files)
    finally:
        if folder is not None:
            with suppress(OSError):  # another preparation is using it
                Path(folder).rmdir()


def _deal(rows: Iterable[pl.DataFrame], files: list[Path]) -> None:
    writers: dict[int, Any] = {}
    try:
        for batch in rows:
            hashes = batch["row_hash"].to_numpy().astype(np.uint64)
            part = (hashes * np.uint64(len(files)) // np.uint64(HASH_MODULUS)).astype(np.uint16)
            order = np.argsort(part, kind="stable")
            ordered = batch[order]
            ends = np.searchsorted(part[order], np.arange(len(files)), "right").tolist()
            for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
                if start < end:
                    table = arrow_table(ordered[start:end])
                    if number not in writers:
                        writers[number] = _writer(files[number], table.schema)
                    writers[number].write_table(table)
    finally:
        for writer in writers.values():
            writer.close()


def _writer(file: Path, schema: Any) -> Any:  # noqa: ANN401 - PyArrow has no types
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression="lz4")
    return pa.ipc.RecordBatchStreamWriter(str(file), schema, options=options)


def _read(files: list[Path]) -> Iterator[pl.DataFrame]:
    for file in files:
        if file.exists():
            yield pl.read_ipc_stream(file)
            file.unlink()
