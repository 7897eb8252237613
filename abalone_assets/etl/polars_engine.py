"""The preparation on Polars, on one machine: each input is read once, each output written once.

Where all but the newest surveys are as they were at the last preparation, only those are read: what
the outputs hold of the others is kept. The bytes are those of a preparation of everything.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from abalone_assets.errors import StorageError
from abalone_assets.etl.input_rows import hashed_rows, parts_of, scanned
from abalone_assets.etl.kept_outputs import KeptOutputs, Note, forget_keys, keeps, keys_file
from abalone_assets.etl.outputs import Outputs
from abalone_assets.etl.parquet_output import ROW_GROUP_ROWS, scratch, staged
from abalone_assets.etl.preparation import SURVEY_COLUMNS
from abalone_assets.etl.request import PrepareReport, PrepareRequest
from abalone_assets.etl.row_keys import keys_of, write_keys
from abalone_assets.etl.unique_rows import UniqueRows
from abalone_assets.lake.kept_rows import KeptRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

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
    kept_keys = keys_file(request.merged, request.older)
    keys = {_KEYS: str(kept_keys)} if keeps(request) else {}
    with _translate_errors():
        with staged({**keys, **request.outputs}, before_replacing) as written:
            files = {name: written[name] for name in request.outputs}
            done = _add_newest(request, files) or _prepare_all(request, files, written.get(_KEYS))
            rows = {name: _count(pl.scan_parquet(path, glob=False)) for name, path in files.items()}
            sha256 = {name: _sha256(files[name]) for name in request.splits}
        forget_keys(request, but=kept_keys if done.keeps else None)
    return PrepareReport(
        engine=f"polars {pl.__version__}",
        rows_in=done.rows_in,
        repeats=done.repeats,
        rows=rows,
        synthetic_rows=done.synthetic_rows,
        seconds=time.perf_counter() - started,
        sha256=sha256,
    )


def _add_newest(request: PrepareRequest, files: dict[str, Path]) -> _Done | None:
    """Write what is kept, and the rows of the newest surveys after it.

    Returns:
        None, and nothing is written, when that does not do: nothing is kept, or one of the newest
        rows repeats a kept one that would be from another file, or simulated, by that.
    """
    from pyarrow import ArrowException

    kept = KeptOutputs.of(request) if request.newest else None
    if kept is None:
        return None
    unique = UniqueRows.of(hashed_rows(scanned((), request.newest), request.newest))
    rows = pl.concat([unique.rows.clear(), *unique.blocks(ROW_GROUP_ROWS)])
    try:
        known = kept.same_as(rows)
    except (OSError, ArrowException):  # damaged
        return None
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
    with scratch(request.outputs) as first, Outputs(first) as outputs, parts_of(request) as parts:
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _count(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect().item())


@contextmanager
def _translate_errors() -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (OSError, pl.exceptions.PolarsError, ArrowException) as error:
        raise StorageError(f"the preparation cannot read or write its data: {error}") from error
