"""The preparation on Polars, on one machine: each input is read once, each output written once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.etl.parquet_output import ROW_GROUP_ROWS, ParquetFile, staged
from abalone_assets.etl.preparation import SPLIT_COLUMNS, bucketed, hashed, is_missing, split
from abalone_assets.etl.request import PrepareReport, PrepareRequest
from abalone_assets.etl.unique_rows import UniqueRows
from abalone_assets.ingest.frames import SURVEY_SCHEMA, schema_of
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INPUT_SCHEMA: Final = pl.Schema({name: SURVEY_SCHEMA[name] for name in SPLIT_COLUMNS})
INPUT_FILE: Final = "input_file"
MERGED: Final = "merged_dataset"


def prepare(request: PrepareRequest) -> PrepareReport:
    """Merge and split.

    Raises:
        StorageError: There is no input, or one cannot be read.
    """
    started = time.perf_counter()
    if not request.inputs:
        raise StorageError("nothing to prepare: the lake holds neither raw_abalone nor a survey")
    with _translate_errors(request), staged({MERGED: request.merged, **request.splits}) as files:
        inputs = _rows_of(request.inputs)
        unique = UniqueRows.of(inputs)
        rows_in = len(inputs)
        del inputs
        synthetic_rows = _write(unique, files)
        rows = {name: _count(pl.scan_parquet(path, glob=False)) for name, path in files.items()}
    return PrepareReport(
        engine=f"polars {pl.__version__}",
        rows_in=rows_in,
        repeats=unique.repeats,
        rows=rows,
        synthetic_rows=synthetic_rows,
        seconds=time.perf_counter() - started,
    )


def _rows_of(uris: tuple[str, ...]) -> pl.DataFrame:
    """All rows of the inputs, with their hash.

    Raises:
        StorageError: Some lack a value.
    """
    narrow = nw.col("row_hash").cast(nw.UInt32)
    rows = hashed(nw.from_native(_scan(uris))).with_columns(narrow).to_native()
    found = rows.collect(engine="streaming")
    if found.select(_incomplete().any()).item():
        _refuse_incomplete(uris)
    return found


def _scan(uris: tuple[str, ...], input_file: str | None = None) -> pl.LazyFrame:
    rows = pl.scan_parquet(
        list(uris),
        glob=False,
        hive_partitioning=False,
        schema=INPUT_SCHEMA,
        missing_columns="insert",
        extra_columns="ignore",
        include_file_paths=input_file,
    )
    return rows.with_columns(pl.col("origin").fill_null(SURVEYED))


def _incomplete() -> pl.Expr:
    """Whether a row lacks a value.

    A column that a file has not got is read as nulls, and what is not finite would be no value of a
    mean either.
    """
    measured = pl.col([name for name in SPLIT_COLUMNS if INPUT_SCHEMA[name].is_float()])
    return pl.any_horizontal(pl.col(SPLIT_COLUMNS).is_null(), ~measured.is_finite())


def _refuse_incomplete(uris: tuple[str, ...]) -> None:
    """Name the first input with a row that lacks a value.

    Raises:
        StorageError: There is one.
    """
    rows = _scan(uris, INPUT_FILE)
    for row in rows.filter(_incomplete()).head(1).collect().iter_rows(named=True):
        columns = [name for name in SPLIT_COLUMNS if is_missing(row[name])]
        raise StorageError(
            f"the preparation cannot read or write its data: {row[INPUT_FILE]} lacks "
            f"{', '.join(columns)}"
        )


def _write(unique: UniqueRows, files: dict[str, Path]) -> int:
    """Write all outputs, block by block and beside each other; the number of simulated rows."""
    outputs = {name: ParquetFile(path, schema_of(name)) for name, path in files.items()}
    synthetic_rows = 0

    def add(name: str, block: pl.DataFrame) -> None:
        lazy = nw.from_native(block.lazy())
        part = lazy if name == MERGED else split(lazy, name)
        outputs[name].add(part.to_native().collect())

    with ThreadPoolExecutor(len(outputs)) as pool:
        for rows in unique.blocks(ROW_GROUP_ROWS):
            block = bucketed(nw.from_native(rows.lazy())).to_native().collect()
            synthetic_rows += int((block["origin"] == SYNTHETIC).sum())
            list(pool.map(add, outputs, [block] * len(outputs)))
        list(pool.map(ParquetFile.close, outputs.values()))
    return synthetic_rows


def _count(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect().item())


@contextmanager
def _translate_errors(request: PrepareRequest) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        try:
            yield
        except pl.exceptions.InvalidOperationError:  # no hash of what is no number
            _refuse_incomplete(request.inputs)
            raise
    except (OSError, pl.exceptions.PolarsError, ArrowException) as error:
        raise StorageError(f"the preparation cannot read or write its data: {error}") from error
