"""Predictions for rows that took part in the training, each by a model that had not seen the row.

A test split of a few hundred rows cannot rank two models. Cross-fitting makes evidence of the rest:
the rows are dealt into folds, and a model fitted on all other folds predicts each fold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from abalone_assets.modeling.dataset import is_surveyed, row_keys, take, target
from abalone_assets.modeling.hyperparameters import MAX_SYNTHETIC_SHARE
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.models.out_of_fold import OutOfFold
from abalone_assets.modeling.scores import mae, rmse
from abalone_assets.modeling.training.parallel import parallel_map
from abalone_assets.modeling.training.weights import sample_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.training.learners import Learner


def cross_fit(
    learner: Learner,
    columns: Columns,
    folds: int,
    max_synthetic_share: float = MAX_SYNTHETIC_SHARE,
    on_fold: Callable[[int, float], None] | None = None,
    *,
    threads: int | None = None,
) -> OutOfFold:
    """Predict each surveyed row by a model that learnt from the other folds.

    A row's fold follows from its key, so it is the same for ever: two recipes, and two releases,
    are compared on equal terms. Simulated rows help to learn and are not predicted.

    Args:
        learner: What to fit.
        columns: The nine survey columns by name, and ``origin`` if it is known.
        folds: How many, at least 2.
        max_synthetic_share: As `sample_weights` takes it.
        on_fold: Is told each fold's number, from 1, and its RMSE in rings.
        threads: Folds that are fitted at the same time; see `parallel_map`.

    Returns:
        The surveyed rows' predictions; none of a fold beside which there is no other.
    """
    keys, surveyed = row_keys(columns), is_surveyed(columns)
    fold_of = keys % np.uint64(folds)
    predicted = np.full(keys.size, np.nan)

    def answers_in(fold: np.uint64) -> NDArray[np.float64]:
        inside = fold_of == fold
        rest = take(columns, ~inside)
        model = learner(rest, sample_weights(rest, max_synthetic_share))
        return predict_rings(model, take(columns, inside & surveyed))

    dealt = list(_nonempty(fold_of, surveyed, folds))
    for number, answers in enumerate(parallel_map(answers_in, dealt, threads), start=1):
        held_out = (fold_of == dealt[number - 1]) & surveyed
        predicted[held_out] = answers
        if on_fold:
            on_fold(number, rmse(answers, target(columns)[held_out]))
    known = np.isfinite(predicted)
    return OutOfFold(keys[known], predicted[known], folds)


def _nonempty(
    fold_of: NDArray[np.uint64], surveyed: NDArray[np.bool_], folds: int
) -> Iterator[np.uint64]:
    """The folds that have rows to predict, and rows outside them to learn from."""
    for fold in np.arange(folds, dtype=np.uint64):
        inside = fold_of == fold
        if (inside & surveyed).any() and not inside.all():
            yield fold


def out_of_fold_scores(table: OutOfFold, columns: Columns) -> dict[str, Any]:
    """``{"rows", "folds", "rmse", "mae"}`` on the rows that it knows; RMSE and MAE in rings.

    Raises:
        EvaluationError: It knows none of the rows.
    """
    predicted = table.predictions_for(row_keys(columns))
    known = np.isfinite(predicted)
    actual = target(columns)[known]
    return {
        "rows": int(known.sum()),
        "folds": table.folds,
        "rmse": rmse(predicted[known], actual),
        "mae": mae(predicted[known], actual),
    }
