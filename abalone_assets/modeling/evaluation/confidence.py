"""Confidence intervals of an evaluation's numbers, all from one set of resamples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from abalone_assets.modeling.evaluation.bootstrap import (
    RESAMPLES,
    percentile_interval,
    resampled_sums,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LEVEL: Final = 0.95

_ROUNDING: Final = 1e-9
"""Of a sum of squares; what rounding leaves of a difference that is none is far below it."""

Interval = tuple[float, float]


class Confidence(TypedDict):
    """Intervals at ``level``; None where the number itself is."""

    level: float
    resamples: int
    rmse: Interval
    mae: Interval
    r2: Interval | None
    coverage: Interval | None


def confidence(
    predicted: NDArray[np.float64],
    actual: NDArray[np.float64],
    covered: NDArray[np.bool_] | None,
    masks: Mapping[str, NDArray[np.bool_]],
) -> tuple[Confidence, dict[str, Interval]]:
    """The intervals of the scores on all rows, and of the RMSE of each slice.

    Args:
        predicted: Rings, one for each of ``n`` rows, at least one.
        actual: Counted rings.
        covered: Whether each prediction interval holds the counted rings; None without intervals.
        masks: The rows of each slice, by its name; none is empty.
    """
    errors = predicted - actual
    centred = actual - actual.mean()  # or else the sums of squares would cancel
    held = np.zeros_like(actual) if covered is None else covered.astype(np.float64)
    squared = errors**2
    parts = [squared, np.abs(errors), centred, centred**2, held]
    slices = [part for mask in masks.values() for part in (mask.astype(np.float64), squared * mask)]
    sums = resampled_sums(np.column_stack([*parts, *slices]))
    rows = len(actual)
    squares, absolute, total, total_squares, held_rows = sums[:, : len(parts)].T
    of_slices = sums[:, len(parts) :].reshape(len(sums), -1, 2)
    spread = total_squares - total**2 / rows
    is_of_one_age = spread <= _ROUNDING * total_squares
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = 1 - squares / spread
        slice_rmse = np.sqrt(of_slices[..., 1] / of_slices[..., 0])
    r2[is_of_one_age | ~np.isfinite(r2)] = np.nan
    overall: Confidence = {
        "level": LEVEL,
        "resamples": RESAMPLES,
        "rmse": percentile_interval(np.sqrt(squares / rows), LEVEL),
        "mae": percentile_interval(absolute / rows, LEVEL),
        "r2": None if np.isnan(r2).all() else percentile_interval(r2, LEVEL),
        "coverage": None if covered is None else percentile_interval(held_rows / rows, LEVEL),
    }
    by_slice = {
        name: percentile_interval(slice_rmse[:, number], LEVEL) for number, name in enumerate(masks)
    }
    return overall, by_slice
