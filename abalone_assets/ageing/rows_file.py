"""Parquet files of many rows, written and read some thousand rows at a time."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.etl.parquet_output import arrow_table, parquet_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from abalone_assets.storage.object_store import ObjectStore

Item = TypeVar("Item")

GROUP_ROWS: Final = 2**15
"""Rows of a row group, at the least but for the last: what waits in memory, and is read at once."""

_DISTINCT: Final = frozenset(
    {"shucked_weight", "viscera_weight", "shell_weight", "line", "raw", "message"}
    | {"rings", "rings_low", "rings_high", "age_years"}
)
"""Columns of many different values: to look for repeats in them takes longer than to write them."""

NOTE: Final = "abalone_aged"
"""Key of what a file's footer says of its rows, by landed file; only aged rows had one once."""


class RowsFile:
    """A Parquet file that rows are added to.

    Args:
        path: Is written anew.
        schema: The columns of the rows.
    """

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        self.path = path
        self.rows = 0
        self._schema = schema
        repeated = [name for name in schema if name not in _DISTINCT]
        self._writer = parquet_writer(str(path), schema, use_dictionary=repeated)
        self._waiting: list[pl.DataFrame] = []
        self._waiting_rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows behind those before."""
        self._waiting.append(rows.select(self._schema.names()))
        self._waiting_rows += len(rows)
        self.rows += len(rows)
        if self._waiting_rows >= GROUP_ROWS:
            self._write()

    def finish(self, note: Mapping[str, Any] | None = None) -> None:
        """Write what is waiting, and the footer, with a note of the rows if there is one."""
        if self._waiting_rows:
            self._write()
        if note is not None:
            self._writer.add_key_value_metadata({NOTE: json.dumps(note)})
        self._writer.close()

    def _write(self) -> None:
        self._writer.write_table(arrow_table(pl.concat(self._waiting)))
        self._waiting, self._waiting_rows = [], 0


def write_beside(items: Iterable[Item], write: Callable[[Item], object]) -> None:
    """Write each item, in their order, while the next one is made; whichever fails ends it."""
    from concurrent.futures import Future, ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        writing: Future[object] | None = None
        for item in items:
            if writing is not None:
                writing.result()
            writing = pool.submit(write, item)
        if writing is not None:
            writing.result()


def batches(path: Path, schema: pl.Schema) -> Iterator[pl.DataFrame]:
    """The rows of a file in their order, some thousand at a time; columns that it lacks are null.

    Raises:
        StorageError: It cannot be read.
    """
    for batch in _arrow_batches(path):
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a batch is a table
        if frame.schema != schema:  # as another release wrote it
            empty = pl.DataFrame(schema=schema)
            frame = pl.concat([empty, frame], how="diagonal_relaxed").select(schema.names())
        yield frame


def rows_of_file(path: Path, schema: pl.Schema, source_file: str) -> Iterator[pl.DataFrame]:
    """The rows of a Parquet file that one landed file gave, in their order."""
    for frame in batches(path, schema):
        found = frame.filter(pl.col("source_file") == source_file)
        if len(found):
            yield found


def note_of(path: Path) -> object:
    """What the footer says of the rows; None when it says nothing, or cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        noted = (pq.read_metadata(path).metadata or {}).get(NOTE.encode())
        return None if noted is None else json.loads(noted)
    except (OSError, ValueError, pa.ArrowException):
        return None


def on_this_machine(store: ObjectStore, key: str, folder: Path) -> Path | None:
    """A file with an object's bytes as they are now, whatever is written there later.

    Args:
        store: Holds the object.
        key: The object's.
        folder: Takes the file; what it has of this object is given again.

    Returns:
        None when there is no such object.

    Raises:
        StorageError: The store refuses.
    """
    kept = folder / key.replace("/", "--")
    if kept.exists():
        return kept
    if store.find(key) is None:
        return None
    if store.root is None:
        store.download(key, kept)
        return kept
    stored = store.root / key
    try:
        kept.hardlink_to(stored)  # a new object replaces the name, never the bytes
    except FileNotFoundError:
        return None
    except OSError:  # on another file system, or one without links
        shutil.copyfile(stored, kept)
    return kept


def joined(
    parts: Iterable[Path],
    target: Path,
    schema: pl.Schema,
    note: Mapping[str, Any] | None = None,
) -> None:
    """One file of the rows of some, which go; a single one is moved, its own note with it."""
    files = list(parts)
    if len(files) == 1:
        shutil.move(files[0], target)
        return
    with RowsFile(target, schema) as file:
        for part in files:
            for frame in batches(part, schema):
                file.add(frame)
            part.unlink()
        file.finish(note)


def _arrow_batches(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with ExitStack() as stack:
        try:
            file = stack.enter_context(pq.ParquetFile(path))
            yield from file.iter_batches(batch_size=GROUP_ROWS)
        except (OSError, pa.ArrowException) as error:
            raise StorageError(f"{path}: cannot be read: {error}") from error
