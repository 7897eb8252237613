"""The preparation on Polars, on one machine: each input is read once, each output written once.

Where all but the newest surveys are as they were at the last preparation, only those are read: what
the outputs hold of the others is kept. The bytes are those of a preparation of everything.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from abalone_assets.errors import StorageError
from abalone_assets.etl.kept_outputs import KeptOutputs, Note, forget_keys, keeps, keys_file
from abalone_assets.etl.kept_rows import KeptRows
from abalone_assets.etl.outputs import Outputs
from abalone_assets.etl.parquet_output import ROW_GROUP_ROWS, is_local, scratch, staged
from abalone_assets.etl.preparation import SPLIT_COLUMNS, SURVEY_COLUMNS, hashed, is_missing
from abalone_assets.etl.request import PrepareReport, PrepareRequest
from abalone_assets.etl.row_keys import keys_of, write_keys
from abalone_assets.etl.spooled_rows import spooled
from abalone_assets.etl.unique_rows import UniqueRows
from abalone_assets.ingest.frames import SURVEY_SCHEMA
from abalone_assets.survey.origin import SURVEYED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

INPUT_SCHEMA: Final = pl.Schema({name: SURVEY_SCHEMA[name] for name in SPLIT_COLUMNS})
INPUT_FILE: Final = "input_file"


IN_MEMORY_ROWS: Final = 10_000_000
"""Some 300 bytes each at most, while they are sorted; more are prepared by way of the disk."""

_BATCH_ROWS: Final = 1_000_000
_KEYS: Final = "keys"


@dataclass(frozen=True)
class _Done:
    rows_in: int
    repeats: int
    synthetic_rows: int
    keeps: bool


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
    read = _hashed((), request.newest).collect(engine="streaming")
    unique = UniqueRows.of(_complete(read, request.newest))
    rows = pl.concat([unique.rows.clear(), *unique.blocks(ROW_GROUP_ROWS)])
    known = kept.same_as(rows)
    repeated = rows.join(known, on=SURVEY_COLUMNS, suffix="_kept")
    another = pl.col("source_file") < pl.col("source_file_kept")
    if repeated.select((another | (pl.col("origin") > pl.col("origin_kept"))).any()).item():
        return None
    added = rows.join(known, on=SURVEY_COLUMNS, how="anti", maintain_order="left")
    synthetic_rows = _extend(kept.rows, [added], files)
    return _Done(
        kept.note.rows_in + len(rows) + unique.repeats,
        kept.note.repeats + len(repeated) + unique.repeats,
        kept.note.synthetic_rows + synthetic_rows,
        keeps=True,
    )


def _prepare_all(request: PrepareRequest, files: dict[str, Path], keys_path: Path | None) -> _Done:
    """Read all inputs and write all rows; keep those of all but the newest surveys if asked to."""
    counts, changes_older = Counter[str](), False
    keys, newest = list[NDArray[np.uint32]](), list[pl.DataFrame]()
    with scratch(request.outputs) as first, Outputs(first) as outputs, _parts(request) as parts:
        for unique in map(UniqueRows.of, parts):
            for rows in unique.older_blocks(ROW_GROUP_ROWS):
                outputs.add(rows)
                keys += [keys_of(rows)] if keys_path else []
            newest += unique.newest_blocks(ROW_GROUP_ROWS)
            changes_older |= unique.changes_older
            counts.update(rows_in=len(unique) + unique.repeats, repeats=unique.repeats)
            counts.update(older_in=len(unique.older) + unique.older_repeats)
            counts.update(older_repeats=unique.older_repeats)
        if keys_path is not None and not changes_older:
            older = counts["older_in"], counts["older_repeats"], outputs.synthetic_rows
            outputs.close(asdict(Note(request.older, *older)))
            write_keys(keys_path, keys)
            kept = {name: found for name, path in first.items() if (found := KeptRows.of(path))}
            synthetic_rows = outputs.synthetic_rows + _extend(kept, newest, files)
            return _Done(counts["rows_in"], counts["repeats"], synthetic_rows, keeps=True)
        for rows in newest:
            outputs.add(rows)
        outputs.close()
        for name, path in first.items():
            path.replace(files[name])
    return _Done(counts["rows_in"], counts["repeats"], outputs.synthetic_rows, keeps=False)


def _extend(kept: dict[str, KeptRows], rows: Iterable[pl.DataFrame], files: dict[str, Path]) -> int:
    """Write kept rows and others behind them; how many of these are simulated."""
    with Outputs(files, kept) as outputs:
        for block in rows:
            outputs.add(block)
        outputs.close()
    return outputs.synthetic_rows


@contextmanager
def _parts(request: PrepareRequest) -> Iterator[Iterator[pl.DataFrame]]:
    """The rows of all inputs with their hash: all of them, or by ranges of it if they are many.

    Raises:
        StorageError: Some lack a value.
    """
    scan, uris = _hashed(request.inputs, request.newest), request.all_inputs
    if request.rows <= IN_MEMORY_ROWS:
        # Read when it is asked for, so that nobody else holds it.
        yield (_complete(each.collect(engine="streaming"), uris) for each in (scan,))
        return
    batches = scan.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=False, engine="streaming")
    complete = (_complete(batch, uris) for batch in batches)
    folder = request.staging if is_local(request.merged) else None
    with spooled(complete, request.rows, folder) as parts:
        yield parts


def _hashed(older: tuple[str, ...], newest: tuple[str, ...]) -> pl.LazyFrame:
    """All rows of the inputs, with their hash and whether they are of the newest surveys."""
    scans = [
        _scan(uris).with_columns(newest=pl.lit(is_newest, dtype=pl.Int8))
        for is_newest, uris in enumerate((older, newest))
        if uris
    ]
    rows = hashed(nw.from_native(pl.concat(scans)))
    return rows.with_columns(nw.col("row_hash").cast(nw.UInt32)).to_native()


def _complete(rows: pl.DataFrame, uris: tuple[str, ...]) -> pl.DataFrame:
    """The rows of these inputs, if all of them are whole.

    Raises:
        StorageError: Some lack a value.
    """
    if rows.select(_incomplete().any()).item():
        _refuse_incomplete(uris)
    return rows


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
