"""How far predicted rings lie from counted ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class EvaluationError(AbaloneError):
    """There is nothing to score."""


def errors_of(predicted: ArrayLike, actual: ArrayLike) -> NDArray[np.float64]:
    """Predicted minus actual, in their unit.

    Raises:
        EvaluationError: No rows, or not as many predictions as actual values.
    """
    left, right = np.asarray(predicted, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if left.shape != right.shape:
        raise EvaluationError(f"{left.size} predictions for {right.size} rows")
    if not left.size:
        raise EvaluationError("no rows to score: wait for more surveys, the test split is empty")
    return left - right


def rmse(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Root mean squared error, ``sqrt(mean((predicted - actual)^2))``.

    The formula is Hyndman and Koehler, *Another look at measures of forecast accuracy*,
    International Journal of Forecasting 22 (2006), section 2.1.

    Raises:
        EvaluationError: No rows, or not as many predictions as actual values.
    """
    return float(np.sqrt(np.mean(errors_of(predicted, actual) ** 2)))


def mae(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Mean absolute error; raises as `rmse` does."""
    return float(np.mean(np.abs(errors_of(predicted, actual))))


def bias(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Mean of predicted minus actual: above 0 when too old; raises as `rmse` does."""
    return float(np.mean(errors_of(predicted, actual)))


def r2(predicted: ArrayLike, actual: ArrayLike) -> float | None:
    """Share of the variance explained, or None when the actual values do not vary.

    Raises:
        EvaluationError: No rows, or not as many predictions as actual values.
    """
    residual = float(np.sum(errors_of(predicted, actual) ** 2))
    centred = np.asarray(actual, dtype=np.float64) - np.mean(np.asarray(actual, dtype=np.float64))
    total = float(np.sum(centred**2))
    return 1 - residual / total if total else None


def scores(predicted: ArrayLike, actual: ArrayLike) -> dict[str, float]:
    """``{"rmse", "mae", "bias"}`` in rings; raises as `rmse` does."""
    return {
        "rmse": rmse(predicted, actual),
        "mae": mae(predicted, actual),
        "bias": bias(predicted, actual),
    }


def pinball(quantiles: ArrayLike, actual: ArrayLike, level: float) -> float:
    """Mean pinball loss of predicted quantiles, in rings; least for the true ones.

    After Koenker and Bassett, *Regression quantiles*, Econometrica 46 (1978): an actual value above
    its quantile costs ``level`` a ring, one below it ``1 - level``.

    Args:
        quantiles: One for each row.
        actual: Counted rings.
        level: The quantiles' probability, such as 0.05.

    Raises:
        EvaluationError: No rows, or not as many quantiles as actual values.
    """
    above = -errors_of(quantiles, actual)
    return float(np.mean(np.maximum(level * above, (level - 1) * above)))
