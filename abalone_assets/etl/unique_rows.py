"""The rows of a survey without their repeats and in order, at the cost of one sort by their hash.

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
        places: Which of them are meant, ``(n,)``, in their order.
        repeats: How many rows were taken out.
    """

    rows: pl.DataFrame
    places: NDArray[np.int64]
    repeats: int

    @classmethod
    def of(cls, rows: pl.DataFrame) -> UniqueRows:
        """Those of hashed rows: what `preparation.without_repeats` leaves of them."""
        hashes = rows["row_hash"].to_numpy()
        order = np.argsort(hashes)
        ordered = hashes[order]
        shared = np.zeros(len(rows), dtype=np.bool_)
        shared[1:] = ordered[1:] == ordered[:-1]
        shared[:-1] |= shared[1:]
        alone = order[~shared]
        if len(alone) == len(rows):
            return cls(rows, alone, 0)
        sharing = rows[order[shared]].lazy()
        merged = without_repeats(nw.from_native(sharing)).to_native().collect()
        before = np.searchsorted(ordered[~shared], merged["row_hash"].to_numpy())
        places = np.insert(alone, before, len(rows) + np.arange(len(merged)))
        whole = pl.concat([rows, merged.select(rows.columns)], rechunk=True)
        return cls(whole, places, len(rows) - len(places))

    def blocks(self, size: int) -> Iterator[pl.DataFrame]:
        """The rows, so many at a time."""
        for start in range(0, len(self.places), size):
            yield self.rows[self.places[start : start + size]]
