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
from abalone_assets.etl.preparation import SURVEY_COLUMNS, merge, split
from abalone_assets.etl.request import PrepareReport, PrepareRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS_READ: Final = [*SURVEY_COLUMNS, "source_file"]


def prepare(request: PrepareRequest) -> PrepareReport:
    """Merge and split by streaming from the inputs to the outputs.

    Raises:
        StorageError: There is no input, or one cannot be read.
    """
    started = time.perf_counter()
    if not request.inputs:
        raise StorageError("nothing to prepare: the lake holds neither raw_abalone nor a survey")
    try:
        inputs = pl.scan_parquet(list(request.inputs), glob=False).select(COLUMNS_READ)
        rows_in = _count(inputs)
        repeats = rows_in - _count(inputs.select(SURVEY_COLUMNS).unique())
        _write(merge([nw.from_native(inputs)]).to_native(), request.merged)
        merged = pl.scan_parquet(request.merged, glob=False)
        rows = {"merged_dataset": _count(merged)}
        for name, uri in request.splits.items():
            _write(split(nw.from_native(merged), name).to_native(), uri)
            rows[name] = _count(pl.scan_parquet(uri, glob=False))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(f"the preparation cannot read or write its data: {error}") from error
    schema = {name: str(dtype) for name, dtype in merged.collect_schema().items()}
    seconds = time.perf_counter() - started
    return PrepareReport(f"polars {pl.__version__}", rows_in, repeats, rows, schema, seconds)


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
