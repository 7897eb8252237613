"""The bootstrap: how far a number would move, had other animals of the same population been caught.

Rows are drawn with replacement as often as there are rows, and the statistic is taken of each such
resample (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapters 6 and 13).
Whatever is a function of sums over rows costs one matrix product for all resamples and all slices
at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RESAMPLES: Final = 2000
SEED: Final = 0
"""Fixed, so that the same rows and predictions have the same intervals."""

_BLOCK: Final = 100
"""Resamples whose sums are one matrix product, up to 100 000 rows."""

_BLOCK_BYTES: Final = 80_000_000
"""Of the counts that are held in memory at a time, however many rows there are."""


def resampled_sums(
    values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = SEED
) -> NDArray[np.float64]:
    """The column sums of resamples of the rows.

    Args:
        values: ``(n, k)``, at least one row.
        resamples: How many; each draws ``n`` rows with replacement, the same ones for all columns.
        seed: Of the draws.

    Returns:
        ``(resamples, k)``.
    """
    rows = len(values)
    random = np.random.default_rng(seed)
    sums = np.empty((resamples, values.shape[1]))
    block = max(1, min(_BLOCK, resamples, _BLOCK_BYTES // (rows * sums.itemsize)))
    times_drawn = np.empty((block, rows))
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        for each in range(count):
            times_drawn[each] = np.bincount(random.integers(rows, size=rows), minlength=rows)
        sums[start : start + count] = times_drawn[:count] @ values
    return sums


def percentile_interval(statistics: ArrayLike, level: float) -> tuple[float, float]:
    """The percentile interval of a statistic (Efron and Tibshirani, section 13.3).

    Args:
        statistics: Its value in each resample; NaN where a resample drew no row of its slice.
        level: The interval's probability, such as 0.95; both tails hold half of the rest.
    """
    tail = (1 - level) / 2
    low, high = np.nanquantile(np.asarray(statistics, dtype=np.float64), [tail, 1 - tail])
    return float(low), float(high)
