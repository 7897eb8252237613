"""The preparation on Polars: lazy, streaming, on one machine."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import narwhals as nw
import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.etl.preparation import SPLIT_COLUMNS, SURVEY_COLUMNS, is_missing, merge, split
from abalone_assets.etl.request import PrepareReport, PrepareRequest
from abalone_assets.ingest.frames import SURVEY_SCHEMA
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUT_SCHEMA: Final = pl.Schema({name: SURVEY_SCHEMA[name] for name in SPLIT_COLUMNS})
INPUT_FILE: Final = "input_file"


def prepare(request: PrepareRequest) -> PrepareReport:
    """Merge and split by streaming from the inputs to the outputs.

    Raises:
        StorageError: There is no input, or one cannot be read.
    """
    started = time.perf_counter()
    if not request.inputs:
        raise StorageError("nothing to prepare: the lake holds neither raw_abalone nor a survey")
    try:
        inputs = _read(request.inputs)
        rows_in = _complete_rows(inputs)
        repeats = rows_in - _count(inputs.select(SURVEY_COLUMNS).unique())
        _write(merge([nw.from_native(inputs)]).to_native(), request.merged)
        merged = pl.scan_parquet(request.merged, glob=False)
        rows = {"merged_dataset": _count(merged)}
        for name, uri in request.splits.items():
            _write(split(nw.from_native(merged), name).to_native(), uri)
            rows[name] = _count(pl.scan_parquet(uri, glob=False))
        synthetic_rows = _count(merged.filter(pl.col("origin") == SYNTHETIC))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(f"the preparation cannot read or write its data: {error}") from error
    return PrepareReport(
        engine=f"polars {pl.__version__}",
        rows_in=rows_in,
        repeats=repeats,
        rows=rows,
        synthetic_rows=synthetic_rows,
        seconds=time.perf_counter() - started,
    )


def _read(uris: tuple[str, ...]) -> pl.LazyFrame:
    """All rows, each with the file that it was read from."""
    rows = pl.scan_parquet(
        list(uris),
        glob=False,
        hive_partitioning=False,
        schema=INPUT_SCHEMA,
        missing_columns="insert",
        extra_columns="ignore",
        include_file_paths=INPUT_FILE,
    )
    return rows.with_columns(pl.col("origin").fill_null(SURVEYED))


def _complete_rows(inputs: pl.LazyFrame) -> int:
    """The number of rows.

    Raises:
        StorageError: Some lack a value: a column that a file has not got is read as nulls, and
            what is not finite would be no value of a mean either.
    """
    measured = pl.col([name for name in SPLIT_COLUMNS if INPUT_SCHEMA[name].is_float()])
    incomplete = pl.any_horizontal(pl.col(SPLIT_COLUMNS).is_null(), ~measured.is_finite())
    found = inputs.select(
        pl.len(), pl.col(INPUT_FILE, *SPLIT_COLUMNS).filter(incomplete).first()
    ).collect()
    first = found.row(0, named=True)
    if first[INPUT_FILE] is not None:
        columns = [name for name in SPLIT_COLUMNS if is_missing(first[name])]
        raise StorageError(
            f"the preparation cannot read or write its data: {first[INPUT_FILE]} lacks "
            f"{', '.join(columns)}"
        )
    return int(first["len"])


def _count(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect().item())


def _write(frame: pl.LazyFrame, uri: str) -> None:
    with _staged(uri) as target:
        frame.sink_parquet(target)


@contextmanager
def _staged(uri: str) -> Iterator[str]:
    """Write beside a local file and rename; S3 shows an upload only when it is complete."""
    if uri.startswith("s3://"):
        yield uri
        return
    path = Path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{uuid4().hex}.staged")
    try:
        yield str(staged)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
