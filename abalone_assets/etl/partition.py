"""Whether every row of ``merged_dataset`` is in just one split, counted in what was written.

A row that was read once need not be read again while the bytes that hold it stay: what the splits
keep from one preparation to the next (`lake.kept_rows`) is read at the first look, and compared
with the keys of the rows that were merged; later ones read what was added, and all footers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.etl.kept_outputs import KeptOutputs, keys_file
from abalone_assets.etl.parquet_output import ROW_GROUP_ROWS
from abalone_assets.etl.preparation import SURVEY_COLUMNS, hashed
from abalone_assets.etl.request import MERGED, SPLIT_PERCENT
from abalone_assets.etl.row_keys import keys_of, packed, places_of
from abalone_assets.ingest.frames import rows_written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abalone_assets.lake.lake import Lake

LOOKED_AT_KEY: Final = f"{MERGED}/_looked_at.json"
"""Digests of the kept rows that a look found in order."""


@dataclass(frozen=True)
class Partition:
    """Rows of ``merged_dataset`` and of its splits.

    Attributes:
        merged: Rows of ``merged_dataset``.
        splits: Rows of each split.
        distinct: Different rows of all splits together; only such as ``merged_dataset`` has.
        read: How many rows of the splits were read now.
        kept: Names the kept rows that are found in order; empty when there are none.
    """

    merged: int
    splits: dict[str, int]
    distinct: int
    read: int
    kept: Mapping[str, str]

    @property
    def holds(self) -> bool:
        """Whether each merged row is in one split, and nothing else is."""
        return self.merged == self.distinct == sum(self.splits.values())


def partition_of(lake: Lake, looked_at: Mapping[str, str] | None = None) -> Partition:
    """Count the rows of all outputs, and the different ones in the splits.

    Rows that repeat another have its keys, and are the only ones to have them, but for one case in
    some hundred thousand at ten million rows: what looks like a repeat is compared value by value.

    Args:
        lake: Holds the outputs.
        looked_at: `Partition.kept` of an earlier look: these rows are not read again.

    Raises:
        StorageError: An output is missing or cannot be read.
    """
    try:
        return _partition_of(lake, looked_at)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(
            f"{lake.folder_uri(MERGED)}: its splits cannot be read; materialize merged_dataset "
            f"first: {error}"
        ) from error


def looked_at(lake: Lake) -> dict[str, str]:
    """`Partition.kept` of the last look that found rows in order."""
    found: Any = lake.store.read_json(LOOKED_AT_KEY)
    return found if isinstance(found, dict) else {}


def record_look(lake: Lake, found: Partition) -> None:
    """Remember which kept rows were found in order."""
    if found.kept and found.kept != looked_at(lake):
        lake.store.write_json(LOOKED_AT_KEY, found.kept)


def _partition_of(lake: Lake, known: Mapping[str, str] | None) -> Partition:
    outputs = {name: lake.uri(name) for name in (MERGED, *SPLIT_PERCENT)}
    counts = {name: rows_written(uri) for name, uri in outputs.items()}
    splits = {name: counts[name] for name in SPLIT_PERCENT}
    kept = KeptOutputs.at(outputs)
    first = {name: kept.rows[name].rows if kept else 0 for name in SPLIT_PERCENT}
    added = _keys({outputs[name]: (rows, None) for name, rows in first.items()})
    read, in_order = added.shape[1], not _repeats(added)
    names: dict[str, str] = {}
    if kept is not None:
        in_order &= not len(places_of(added, kept.keys))
        names = _names(lake, kept)
        if names != known:
            older = _keys({outputs[name]: (0, rows) for name, rows in first.items()})
            read += older.shape[1]
            same = np.array_equal(np.sort(packed(older)), np.sort(packed(kept.keys)))
            in_order &= same and not _repeats(older)
    distinct = sum(splits.values()) if in_order else _distinct(outputs)
    return Partition(counts[MERGED], splits, distinct, read, names if in_order else {})


def _keys(parts: Mapping[str, tuple[int, int | None]]) -> NDArray[np.uint32]:
    """The keys of some rows of splits, ``(2, n)``; of each, from which row on and how many."""
    found = [np.zeros((2, 0), dtype=np.uint32)]
    for uri, (start, count) in parts.items():
        rows = pl.scan_parquet(uri, glob=False).slice(start, count).select(SURVEY_COLUMNS)
        keyed = hashed(nw.from_native(rows)).with_columns(nw.col("row_hash").cast(nw.UInt32))
        batches = keyed.to_native().collect_batches(
            chunk_size=ROW_GROUP_ROWS, maintain_order=False, engine="streaming"
        )
        found += map(keys_of, batches)
    return np.concatenate(found, axis=1)


def _repeats(keys: NDArray[np.uint32]) -> bool:
    ordered = np.sort(packed(keys))
    return bool((ordered[1:] == ordered[:-1]).any())


def _distinct(outputs: Mapping[str, str]) -> int:
    merged, *splits = (
        pl.scan_parquet(outputs[name], glob=False).select(SURVEY_COLUMNS)
        for name in (MERGED, *SPLIT_PERCENT)
    )
    found = pl.concat(splits).unique().join(merged, on=SURVEY_COLUMNS, how="semi")
    return int(found.select(pl.len()).collect(engine="streaming").item())


def _names(lake: Lake, kept: KeptOutputs) -> dict[str, str]:
    keys = lake.store.find(f"{MERGED}/{keys_file(lake.uri(MERGED), kept.note.older).name}")
    of_rows = {name: kept.rows[name].digest for name in SPLIT_PERCENT}
    return {"keys": keys.e_tag if keys else "", **of_rows}
