"""Fit a gradient-boosted model of ring counts, the same bytes for the same data and seed.

The trees are under no monotone constraint, though a heavier shell ought to mean an older animal. On
the UCI survey (10 folds, 3 seeds), holding them to that in all five features that the shell's
weight is part of costs 0.028 ± 0.010 rings of RMSE; in ``shell_weight`` and ``log_shell_thickness``
alone it costs nothing (0.0005 ± 0.0016) and, as the other three may undo it, promises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abalone_assets.modeling.dataset import target
from abalone_assets.modeling.features import BOOSTER_FEATURES, design_matrix
from abalone_assets.modeling.learnt import Learnt
from abalone_assets.modeling.models.booster import BOOSTER_FILE, BoosterModel
from abalone_assets.modeling.models.trees import OBJECTIVE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from xgboost import QuantileDMatrix

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import BoosterHyperparameters
    from abalone_assets.modeling.learnt import Progress


def fit_booster(
    columns: Columns, weights: NDArray[np.float64], chosen: BoosterHyperparameters
) -> BoosterModel:
    """Boost without watching: what refits want; arguments and errors as `watch_booster`."""
    return watch_booster(columns, weights, None, chosen)[0]


def watch_booster(
    train: Columns,
    weights: NDArray[np.float64],
    validation: Columns | None,
    chosen: BoosterHyperparameters,
    on_progress: Progress | None = None,
) -> tuple[BoosterModel, dict[str, list[float]]]:
    """Boost a fixed number of rounds, and watch the RMSE of both splits round by round.

    Args:
        train: The nine survey columns by name, ``n`` values each, at least one row.
        weights: How much each row counts, ``(n,)``, in learning and in the RMSE watched.
        validation: Rows to watch, and not learnt from; nothing is watched when None.
        chosen: How to boost.
        on_progress: See `Progress`.

    Returns:
        The model, and the RMSE in rings of every round: ``{"train": [...], "validation": [...]}``.

    Raises:
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: A split has no rows or no usable rings.
    """
    import xgboost

    matrix = _matrix(train, weights)
    watched = {}
    if validation is not None:
        watched = {"train": matrix, "validation": _matrix(validation, None, ref=matrix)}
    history: dict[str, dict[str, list[float]]] = {}
    parameters = ("eta", "max_depth", "subsample", "colsample_bytree", "min_child_weight")
    booster = xgboost.train(
        {
            **{name: getattr(chosen, name) for name in (*parameters, "reg_lambda", "seed")},
            "objective": OBJECTIVE,
            "tree_method": "hist",
            "eval_metric": "rmse",
            "nthread": 1,  # same data, seed and XGBoost then give the same bytes
        },
        matrix,
        chosen.num_boost_round,
        evals=[(each, name) for name, each in watched.items()],
        evals_result=history,
        verbose_eval=False,
        callbacks=[_progress_callback(on_progress)] if on_progress else None,
    )
    # Named here, since XGBoost would ask a named matrix for all of its names in every round.
    booster.feature_names = list(BOOSTER_FEATURES)
    return BoosterModel(booster), {name: [*values["rmse"]] for name, values in history.items()}


def learn(
    train: Columns,
    weights: NDArray[np.float64],
    validation: Columns,
    chosen: BoosterHyperparameters,
    on_progress: Progress | None = None,
) -> Learnt:
    """What `watch_booster` makes, ready for an archive; arguments and errors are the same."""
    model, history = watch_booster(train, weights, validation, chosen, on_progress)
    return Learnt(
        model=model,
        files={BOOSTER_FILE: model.to_ubj()},
        versions=booster_versions(),
        objective=OBJECTIVE,
        best_iteration=chosen.num_boost_round - 1,
        history=history,
    )


def booster_versions() -> dict[str, str]:
    """``{"xgboost": version}``."""
    import xgboost

    return {"xgboost": xgboost.__version__}


def _matrix(
    columns: Columns, weights: NDArray[np.float64] | None, ref: QuantileDMatrix | None = None
) -> QuantileDMatrix:
    from xgboost import QuantileDMatrix

    return QuantileDMatrix(
        design_matrix(columns, BOOSTER_FEATURES),
        label=target(columns),
        weight=weights,
        nthread=1,
        ref=ref,
    )


def _progress_callback(on_progress: Progress) -> Any:  # noqa: ANN401 - its base class loads lazily
    from xgboost.callback import TrainingCallback

    class _Report(TrainingCallback):
        def after_iteration(self, model: object, epoch: int, evals_log: Any) -> bool:  # noqa: ANN401, ARG002 - xgboost's signature
            on_progress(epoch + 1, {name: log["rmse"][-1] for name, log in evals_log.items()})
            return False

    return _Report()
