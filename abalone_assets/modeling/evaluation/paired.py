"""Two models on the same rows: the difference of their errors, and how sure it is.

Much of a model's error is the animals' own: hard rows are hard for both models. Paired by row, that
part cancels, and differences show that two separate intervals would hide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from abalone_assets.modeling.evaluation.bootstrap import (
    RESAMPLES,
    percentile_interval,
    resampled_sums,
)
from abalone_assets.modeling.scores import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

PAIRED_LEVEL: Final = 0.9
"""From the 5 % to the 95 % quantile: each end is a one-sided test at 5 %, as is usual for
non-inferiority (ICH E9, *Statistical Principles for Clinical Trials*, 1998, section 3.3.2)."""


class Comparison(TypedDict):
    """A model beside its champion on the same rows; errors in rings.

    ``difference`` is ``rmse - champion_rmse``, below 0 when the model is better; ``low`` and
    ``high`` are the ends of its interval.
    """

    value: str
    rows: int
    rmse: float
    champion_rmse: float
    difference: float
    low: float
    high: float


def paired_comparisons(
    squared_errors: ArrayLike,
    champion_squared_errors: ArrayLike,
    masks: Mapping[str, NDArray[np.bool_]],
    resamples: int = RESAMPLES,
) -> dict[str, Comparison]:
    """The difference of two models' RMSE in each group of rows, by a bootstrap of the pairs.

    Args:
        squared_errors: The model's, ``(n,)``, in squared rings.
        champion_squared_errors: The champion's on the same rows, ``(n,)``.
        masks: By the group's name, the rows in it; a group without rows is left out.
        resamples: Bootstrap resamples.

    Returns:
        By the group's name; its ``value`` is that name too.

    Raises:
        EvaluationError: The two arrays do not pair, or hold no rows.
    """
    own = np.asarray(squared_errors, dtype=np.float64)
    champion = np.asarray(champion_squared_errors, dtype=np.float64)
    _require_pairs(own, champion)
    groups = {name: mask for name, mask in masks.items() if mask.any()}
    if not groups:
        return {}
    parts = (np.ones_like(own), own, champion)
    table = np.column_stack([part * mask for mask in groups.values() for part in parts])
    total = _rmse(table.sum(axis=0, keepdims=True))[0]
    resampled = _rmse(resampled_sums(table, resamples=resamples))
    compared: dict[str, Comparison] = {}
    for number, (name, mask) in enumerate(groups.items()):
        rmse, champion_rmse = (float(value) for value in total[number])
        low, high = percentile_interval(
            resampled[:, number, 0] - resampled[:, number, 1], PAIRED_LEVEL
        )
        compared[name] = Comparison(
            value=name,
            rows=int(mask.sum()),
            rmse=rmse,
            champion_rmse=champion_rmse,
            difference=rmse - champion_rmse,
            low=low,
            high=high,
        )
    return compared


def paired_mae(
    absolute_errors: ArrayLike, champion_absolute_errors: ArrayLike, resamples: int = RESAMPLES
) -> Comparison:
    """The difference of two models' mean absolute error, by the same bootstrap.

    Args:
        absolute_errors: The model's, ``(n,)``, in rings.
        champion_absolute_errors: The champion's on the same rows, ``(n,)``.
        resamples: Bootstrap resamples.

    Returns:
        A comparison whose errors are mean absolute ones.

    Raises:
        EvaluationError: The two arrays do not pair, or hold no rows.
    """
    own = np.asarray(absolute_errors, dtype=np.float64)
    champion = np.asarray(champion_absolute_errors, dtype=np.float64)
    _require_pairs(own, champion)
    resampled = resampled_sums((own - champion)[:, np.newaxis], resamples=resamples) / own.size
    low, high = percentile_interval(resampled[:, 0], PAIRED_LEVEL)
    means = float(own.mean()), float(champion.mean())
    return Comparison(
        value="mae",
        rows=own.size,
        rmse=means[0],
        champion_rmse=means[1],
        difference=means[0] - means[1],
        low=low,
        high=high,
    )


def _require_pairs(own: NDArray[np.float64], champion: NDArray[np.float64]) -> None:
    if own.shape != champion.shape or not own.size:
        raise EvaluationError(
            f"{own.size} errors cannot be paired with {champion.size}: both models must be scored "
            "on the same rows, at least one"
        )


def _rmse(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Both models' RMSE in each group, ``(resamples, groups, 2)``, NaN where no row was drawn."""
    counts, squared = np.split(sums.reshape(len(sums), -1, 3), [1], axis=2)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(squared / counts))
