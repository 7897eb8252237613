"""The rows of surveys without their repeats and in order, at the cost of one sort by their hash.

A row whose hash nobody shares repeats none and is repeated by none. So only rows that share theirs
are grouped, some per cent of them: the others are put in their place as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np
import polars as pl

from abalone_assets.etl.preparation import without_repeats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@dataclass(frozen=True)
class UniqueRows:
    """Rows in the order of ``merged_dataset``.

    Attributes:
        rows: Hashed rows, in any order and some of them superfluous.
        older: Which of them are meant that are not of the newest surveys, ``(n,)``, in their order.
        newest: Which of the newest surveys, ``(m,)``, in theirs.
        older_repeats: How many rows were taken out that are not of the newest surveys.
        newest_repeats: How many of the newest surveys.
        changes_older: Whether an older row is from another file or of another origin than it would
            be without the newest surveys.
    """

    rows: pl.DataFrame
    older: NDArray[np.int64]
    newest: NDArray[np.int64]
    older_repeats: int
    newest_repeats: int
    changes_older: bool

    @classmethod
    def of(cls, rows: pl.DataFrame) -> UniqueRows:
        """Those of hashed rows: what `preparation.without_repeats` leaves of them."""
        hashes = rows["row_hash"].to_numpy()
        order = np.argsort(hashes)
        ordered = hashes[order]
        shared = np.zeros(len(rows), dtype=np.bool_)
        shared[1:] = ordered[1:] == ordered[:-1]
        shared[:-1] |= shared[1:]
        sharing = rows[order[shared]]
        merged = _without_repeats(sharing).sort("row_hash", maintain_order=True)
        alone = order[~shared]
        before = np.searchsorted(ordered[~shared], merged["row_hash"].to_numpy())
        places = np.insert(alone, before, len(rows) + np.arange(len(merged)))
        whole = pl.concat([rows, merged.select(rows.columns)], rechunk=True)
        is_newest = whole["newest"].to_numpy()[places] != 0
        newest_in = int(rows["newest"].sum())
        older, newest = places[~is_newest], places[is_newest]
        return cls(
            rows=whole,
            older=older,
            newest=newest,
            older_repeats=len(rows) - newest_in - len(older),
            newest_repeats=newest_in - len(newest),
            changes_older=_changes_older(sharing, merged),
        )

    def __len__(self) -> int:
        """How many they are."""
        return len(self.older) + len(self.newest)

    @property
    def repeats(self) -> int:
        """How many rows were taken out."""
        return self.older_repeats + self.newest_repeats

    def blocks(self, size: int) -> Iterator[pl.DataFrame]:
        """The rows, so many at a time; none of the newest is in one block with others."""
        yield from self.older_blocks(size)
        yield from self.newest_blocks(size)

    def older_blocks(self, size: int) -> Iterator[pl.DataFrame]:
        """Those that are not of the newest surveys."""
        return self._blocks(self.older, size)

    def newest_blocks(self, size: int) -> Iterator[pl.DataFrame]:
        """Those of the newest surveys."""
        return self._blocks(self.newest, size)

    def _blocks(self, places: NDArray[np.int64], size: int) -> Iterator[pl.DataFrame]:
        for start in range(0, len(places), size):
            yield self.rows[places[start : start + size]]


def _without_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    return without_repeats(nw.from_native(rows.lazy())).to_native().collect()


def _changes_older(sharing: pl.DataFrame, merged: pl.DataFrame) -> bool:
    if not sharing["newest"].sum():
        return False
    is_older = pl.col("newest") == 0
    alone = _without_repeats(sharing.filter(is_older))
    return not alone.equals(merged.filter(is_older).select(alone.columns))
