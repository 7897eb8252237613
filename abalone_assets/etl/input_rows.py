"""The rows of a preparation's inputs, read once: together, or by ranges of their hash."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.etl.parquet_output import is_local
from abalone_assets.etl.preparation import SPLIT_COLUMNS, hashed, is_missing
from abalone_assets.etl.spooled_rows import spooled
from abalone_assets.ingest.frames import SURVEY_SCHEMA
from abalone_assets.survey.origin import SURVEYED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.etl.request import PrepareRequest

INPUT_SCHEMA: Final = pl.Schema({name: SURVEY_SCHEMA[name] for name in SPLIT_COLUMNS})
INPUT_FILE: Final = "input_file"

IN_MEMORY_ROWS: Final = 10_000_000
"""Some 300 bytes each at most, while they are sorted; more are prepared by way of the disk."""

_BATCH_ROWS: Final = 1_000_000


@contextmanager
def parts_of(request: PrepareRequest) -> Iterator[Iterator[pl.DataFrame]]:
    """The rows of all inputs with their hash: all of them, or by ranges of it if they are many.

    Raises:
        StorageError: Some lack a value.
    """
    scan, uris = scanned(request.inputs, request.newest), request.all_inputs
    if request.rows <= IN_MEMORY_ROWS:
        # Read when it is asked for, so that nobody else holds it.
        yield (hashed_rows(each, uris) for each in (scan,))
        return
    batches = scan.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=False, engine="streaming")
    whole = (hashed_rows(batch.lazy(), uris) for batch in batches)
    folder = request.staging if is_local(request.merged) else None
    with spooled(whole, request.rows, folder) as parts:
        yield parts


def scanned(older: tuple[str, ...], newest: tuple[str, ...]) -> pl.LazyFrame:
    """All rows of the inputs, and whether they are of the newest surveys."""
    scans = [
        _scan(uris).with_columns(newest=pl.lit(is_newest, dtype=pl.Int8))
        for is_newest, uris in enumerate((older, newest))
        if uris
    ]
    return pl.concat(scans)


def hashed_rows(scan: pl.LazyFrame, uris: tuple[str, ...]) -> pl.DataFrame:
    """The rows of these inputs with their hash, if all of them are whole.

    They are hashed when they are read: file by file, a hash of forty rows costs as much as theirs.

    Raises:
        StorageError: Some lack a value.
    """
    rows = scan.collect(engine="streaming")
    if rows.select(_incomplete().any()).item():
        _refuse_incomplete(uris)
    keyed = hashed(nw.from_native(rows.lazy())).with_columns(nw.col("row_hash").cast(nw.UInt32))
    return keyed.to_native().collect(engine="streaming")


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
