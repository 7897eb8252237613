"""The preparation on Polars, on one machine: each input is read once, each output written once.

Where all but the newest surveys are as they were at the last preparation, only those are read: what
the outputs hold of the others is kept. The bytes are those of a preparation of everything.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.etl.kept_outputs import KeptOutputs, Note, forget_keys, keeps, keys_file
from abalone_assets.etl.kept_rows import KeptRows
from abalone_assets.etl.outputs import Outputs
from abalone_assets.etl.parquet_output import ROW_GROUP_ROWS, scratch, staged
from abalone_assets.etl.preparation import SPLIT_COLUMNS, SURVEY_COLUMNS, hashed, is_missing
from abalone_assets.etl.request import PrepareReport, PrepareRequest
from abalone_assets.etl.row_keys import keys_of, write_keys
from abalone_assets.etl.unique_rows import UniqueRows
from abalone_assets.ingest.frames import SURVEY_SCHEMA
from abalone_assets.survey.origin import SURVEYED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

INPUT_SCHEMA: Final = pl.Schema({name: SURVEY_SCHEMA[name] for name in SPLIT_COLUMNS})
INPUT_FILE: Final = "input_file"


_KEYS: Final = "keys"


@dataclass(frozen=True)
class _Done:
    rows_in: int
    repeats: int
    synthetic_rows: int
    keeps: bool = True


def prepare(
    request: PrepareRequest, before_replacing: Callable[[], object] = lambda: None
) -> PrepareReport:
    """Merge and split.

    Args:
        request: URIs, local or ``s3://``.
        before_replacing: Called when all outputs are written and none is in place yet; what it
            raises leaves the old ones.

    Raises:
        StorageError: There is no input, or one cannot be read.
    """
    started = time.perf_counter()
    if not request.all_inputs:
        raise StorageError("nothing to prepare: the lake holds neither raw_abalone nor a survey")
    keys = {_KEYS: str(keys_file(request))} if keeps(request) else {}
    with (
        _translate_errors(request),
        staged({**keys, **request.outputs}, before_replacing) as staged_files,
    ):
        files = {name: staged_files[name] for name in request.outputs}
        done = _add_newest(request, files) or _prepare_all(request, files, staged_files.get(_KEYS))
        rows = {name: _count(pl.scan_parquet(path, glob=False)) for name, path in files.items()}
    forget_keys(request, but=keys_file(request) if done.keeps else None)
    return PrepareReport(
        engine=f"polars {pl.__version__}",
        rows_in=done.rows_in,
        repeats=done.repeats,
        rows=rows,
        synthetic_rows=done.synthetic_rows,
        seconds=time.perf_counter() - started,
    )


def _add_newest(request: PrepareRequest, files: dict[str, Path]) -> _Done | None:
    """Write what is kept, and the rows of the newest surveys after it.

    Returns:
        None, and nothing is written, when that does not do: nothing is kept, or one of the newest
        rows repeats a kept one that would be from another file, or simulated, by that.
    """
    kept = KeptOutputs.of(request) if request.newest else None
    if kept is None:
        return None
    unique = UniqueRows.of(_rows_of((), request.newest))
    rows = pl.concat([unique.rows.clear(), *unique.blocks(ROW_GROUP_ROWS)])
    known = kept.same_as(rows)
    repeated = rows.join(known, on=SURVEY_COLUMNS, suffix="_kept")
    another = pl.col("source_file") < pl.col("source_file_kept")
    if repeated.select((another | (pl.col("origin") > pl.col("origin_kept"))).any()).item():
        return None
    added = rows.join(known, on=SURVEY_COLUMNS, how="anti", maintain_order="left")
    with Outputs(files, after=kept.rows) as outputs:
        outputs.add(added)
        outputs.close()
    return _Done(
        kept.note.rows_in + len(rows) + unique.repeats,
        kept.note.repeats + len(repeated) + unique.repeats,
        kept.note.synthetic_rows + outputs.synthetic_rows,
    )


def _prepare_all(request: PrepareRequest, files: dict[str, Path], keys_path: Path | None) -> _Done:
    """Read all inputs and write all rows; keep those of all but the newest surveys if asked to."""
    unique = UniqueRows.of(_rows_of(request.inputs, request.newest))
    rows_in = len(unique.older) + len(unique.newest) + unique.repeats
    if keys_path is not None and not unique.changes_older:
        synthetic_rows, keys = _write_and_keep(request, unique, files)
        write_keys(keys_path, keys)
        return _Done(rows_in, unique.repeats, synthetic_rows)
    with Outputs(files) as outputs:
        for rows in unique.blocks(ROW_GROUP_ROWS):
            outputs.add(rows)
        outputs.close()
    return _Done(rows_in, unique.repeats, outputs.synthetic_rows, keeps=False)


def _write_and_keep(
    request: PrepareRequest, unique: UniqueRows, files: dict[str, Path]
) -> tuple[int, list[NDArray[np.uint32]]]:
    """Write the rows to be kept, and the newest after them; simulated ones, and keys to keep."""
    keys = []
    with scratch(request.outputs) as first:
        with Outputs(first) as older:
            for rows in unique.older_blocks(ROW_GROUP_ROWS):
                older.add(rows)
                keys.append(keys_of(rows))
            rows_in = len(unique.older) + unique.older_repeats
            note = Note(request.older, rows_in, unique.older_repeats, older.synthetic_rows)
            older.close(asdict(note))
        after = {name: kept for name, path in first.items() if (kept := KeptRows.of(path))}
        with Outputs(files, after) as newest:
            for rows in unique.newest_blocks(ROW_GROUP_ROWS):
                newest.add(rows)
            newest.close()
    return older.synthetic_rows + newest.synthetic_rows, keys


def _rows_of(older: tuple[str, ...], newest: tuple[str, ...]) -> pl.DataFrame:
    """All rows of the inputs, with their hash.

    Raises:
        StorageError: Some lack a value.
    """
    scans = [
        _scan(uris).with_columns(newest=pl.lit(is_newest, dtype=pl.Int8))
        for is_newest, uris in enumerate((older, newest))
        if uris
    ]
    rows = hashed(nw.from_native(pl.concat(scans)))
    found = rows.with_columns(nw.col("row_hash").cast(nw.UInt32)).to_native()
    read = found.collect(engine="streaming")
    if read.select(_incomplete().any()).item():
        _refuse_incomplete((*older, *newest))
    return read


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


def _count(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect().item())


@contextmanager
def _translate_errors(request: PrepareRequest) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        try:
            yield
        except pl.exceptions.InvalidOperationError:  # no hash of what is no number
            _refuse_incomplete(request.all_inputs)
            raise
    except (OSError, pl.exceptions.PolarsError, ArrowException) as error:
        raise StorageError(f"the preparation cannot read or write its data: {error}") from error
