"""Where a row lies among those that are kept, if it does: without reading them.

Two 32-bit numbers of each row, in the rows' order, as a NumPy array beside ``merged_dataset``: its
hash, by which the rows are sorted, and a fingerprint of its measurements. A row that is looked up
costs a binary search.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.survey import MEASUREMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl
    from numpy.typing import NDArray

VERSION: Final = 1
"""Of what the keys are: those of another are of no use."""

_MULTIPLIERS: Final = np.array(
    [
        0xCAB26C451BF11FF1,
        0x80733019ED40FFA3,
        0x950A2B36950DAA49,
        0x8B804D8A93E75D6D,
        0xDE33D6D7B8FBBF67,
        0xF8C4865E7C26B68F,
        0xC76BBD3501E7F011,
    ],
    dtype=np.uint64,
)
"""Multiply-shift hashing (Dietzfelbinger and others, *A reliable randomized algorithm for the
closest-pair problem*, 1997)."""


def keys_of(rows: pl.DataFrame) -> NDArray[np.uint32]:
    """Hash and fingerprint of hashed rows, ``(2, n)``; equal rows have equal ones."""
    total = np.zeros(len(rows), dtype=np.uint64)
    for name, multiplier in zip(MEASUREMENTS, _MULTIPLIERS, strict=True):
        values = rows[name].to_numpy() + 0.0  # which makes one zero of two
        total += values.view(np.uint64) * multiplier
    return np.stack([rows["row_hash"].to_numpy(), (total >> np.uint64(32)).astype(np.uint32)])


def packed(keys: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Both numbers of each row as one, ``(n,)``."""
    both: NDArray[np.uint64] = (keys[0].astype(np.uint64) << np.uint64(32)) | keys[1]
    return both


def places_of(keys: NDArray[np.uint32], kept: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The places of all kept rows that one of these keys may be of, in their order.

    Args:
        keys: ``(2, m)``, of the rows that are looked up.
        kept: ``(2, n)``, of those that are kept; may lie on the disk.
    """
    first = np.searchsorted(kept[0], keys[0], "left")
    last = np.searchsorted(kept[0], keys[0], "right")
    counts = last - first
    starts = np.repeat(first - np.cumsum(counts) + counts, counts)
    places = starts + np.arange(counts.sum())
    found = places[kept[1][places] == np.repeat(keys[1], counts)]
    return np.unique(found).astype(np.int64)


def write_keys(path: Path, keys: Sequence[NDArray[np.uint32]]) -> None:
    """Write keys, given block by block.

    Raises:
        OSError: The file system refuses.
    """
    whole = np.concatenate(keys, axis=1) if keys else np.zeros((2, 0), dtype=np.uint32)
    with path.open("wb") as file:
        np.save(file, whole)


def read_keys(path: Path, rows: int) -> NDArray[np.uint32] | None:
    """Those of so many rows, read where they are looked up; None when they are not there."""
    with suppress(OSError, ValueError):
        found = np.load(path, mmap_mode="r")
        if found.shape == (2, rows) and found.dtype == np.uint32:
            return found  # type: ignore[no-any-return]
    return None
