"""Fit boosted trees and a kernel regression, and take their mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.modeling.learnt import Learnt
from abalone_assets.modeling.models.blend import BLEND_FILE, BlendModel
from abalone_assets.modeling.models.trees import OBJECTIVE
from abalone_assets.modeling.training.train_booster import (
    booster_versions,
    fit_booster,
    watch_booster,
)
from abalone_assets.modeling.training.train_kernel import fit_kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import BlendHyperparameters
    from abalone_assets.modeling.learnt import Progress


def fit_blend(
    columns: Columns, weights: NDArray[np.float64], chosen: BlendHyperparameters
) -> BlendModel:
    """Fit both parts, without watching; arguments and errors as `fit_booster` and `fit_kernel`."""
    booster = fit_booster(columns, weights, chosen)
    return BlendModel(booster, fit_kernel(columns, weights, chosen), chosen.booster_share)


def learn(
    train: Columns,
    weights: NDArray[np.float64],
    validation: Columns,
    chosen: BlendHyperparameters,
    on_progress: Progress | None = None,
) -> Learnt:
    """Fit both parts, watching the trees; arguments and errors as `train_booster.learn`."""
    booster, history = watch_booster(train, weights, validation, chosen, on_progress)
    model = BlendModel(booster, fit_kernel(train, weights, chosen), chosen.booster_share)
    return Learnt(
        model=model,
        files={BLEND_FILE: model.to_npz()},
        versions=booster_versions(),
        objective=f"{OBJECTIVE} and squared error of ln(rings)",
        best_iteration=chosen.num_boost_round - 1,
        history=history,
    )
