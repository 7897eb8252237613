"""How far predicted rings lie from counted ones, and which rows are judged together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.errors import AbaloneError
from abalone_assets.modeling.models.model import predict_rings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.models.model import Model

AGE_BANDS: Final = ((1, 5), (6, 10), (11, 15), (16, survey.MAX_RINGS))
"""First and last ring count of each band; a ring count plus 1.5 is the age in years."""

SHUFFLES: Final = 10
"""Of each column; their mean has a third of the noise of one."""


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


def slice_masks(columns: Columns) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """The rows of each sex and of each age band; a slice without rows is left out.

    Returns:
        ``{"sex": {"M": mask, ...}, "age_band": {"6-10 rings": mask, ...}}``.
    """
    sex = np.asarray(columns["sex"], dtype=object)
    rings = np.asarray(columns[survey.TARGET], dtype=np.float64)
    by_sex = {each: sex == each for each in survey.SEXES}
    by_age = {age_band_name(low, high): (rings >= low) & (rings <= high) for low, high in AGE_BANDS}
    return {"sex": _inhabited(by_sex), "age_band": _inhabited(by_age)}


def _inhabited(masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    return {name: mask for name, mask in masks.items() if mask.any()}


def age_band_name(low: int, high: int) -> str:
    """An age band as people read it, such as ``6-10 rings`` or ``16+ rings``."""
    return f"{low}+ rings" if high >= survey.MAX_RINGS else f"{low}-{high} rings"


def permutation_importance(model: Model, columns: Columns) -> dict[str, float]:
    """How much the RMSE, in rings, grows when one column's values are dealt out anew.

    The mean over `SHUFFLES` shuffles, the same ones each time, after Breiman, *Random forests*,
    Machine Learning 45 (2001), section 10. Near 0, or below it by chance: the model does without
    the column, or with its twin.

    Raises:
        EvaluationError: No rows.
    """
    actual = np.asarray(columns[survey.TARGET], dtype=np.float64)
    whole = rmse(predict_rings(model, columns), actual)
    random = np.random.default_rng(0)
    orders = [random.permutation(actual.size) for _ in range(SHUFFLES)]

    def shuffled(name: str, order: NDArray[np.int64]) -> float:
        dealt = {**columns, name: np.asarray(columns[name])[order]}
        return rmse(predict_rings(model, dealt), actual)

    return {
        name: float(np.mean([shuffled(name, order) for order in orders])) - whole
        for name in survey.FEATURES
    }
