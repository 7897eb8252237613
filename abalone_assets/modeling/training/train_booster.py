"""Fit a gradient-boosted model of ring counts, the same bytes for the same data and seed.

The trees are under no monotone constraint, though a heavier shell ought to mean an older animal. On
the UCI survey (10 folds, 3 seeds), holding them to that in all five features that the shell's
weight is part of costs 0.028 ± 0.010 rings of RMSE; in ``shell_weight`` and ``log_shell_thickness``
alone it costs nothing (0.0005 ± 0.0016) and, as the other three may undo it, promises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.dataset import target
from abalone_assets.modeling.features import BOOSTER_FEATURES, design_matrix
from abalone_assets.modeling.models.booster import BoosterModel
from abalone_assets.modeling.models.model import MODEL_FILES
from abalone_assets.modeling.training.learnt import Learnt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from xgboost import QuantileDMatrix

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import BoosterHyperparameters
    from abalone_assets.modeling.training.learnt import Progress

OBJECTIVE: Final = "count:poisson"
"""Rings are a count whose spread grows with its mean, and a prediction must be positive."""


def fit_booster(
    columns: Columns,
    weights: NDArray[np.float64],
    chosen: BoosterHyperparameters,
    *,
    nthread: int = 1,
) -> BoosterModel:
    """Boost a fixed number of rounds, without watching: what refits want.

    Args:
        columns: The nine survey columns by name, ``n`` values each, at least one row.
        weights: How much each row counts, ``(n,)``.
        chosen: How to boost.
        nthread: Threads; with one, same data, seed and XGBoost give the same bytes.

    Raises:
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: No rows or no usable rings.
    """
    import xgboost

    matrix = _matrix(columns, weights, nthread)
    booster = xgboost.train(_parameters(chosen, nthread), matrix, chosen.num_boost_round)
    return BoosterModel(booster)


def watch_booster(
    train: Columns,
    weights: NDArray[np.float64],
    validation: Columns,
    chosen: BoosterHyperparameters,
    on_progress: Progress | None = None,
    *,
    nthread: int = 1,
) -> tuple[BoosterModel, dict[str, list[float]]]:
    """Boost as `fit_booster` does, and watch the RMSE of both splits round by round.

    Args:
        train: The rows to learn from.
        weights: How much each of them counts, in learning and in the RMSE watched.
        validation: Rows to watch, and not learnt from.
        chosen: How to boost.
        on_progress: See `Progress`.
        nthread: Threads; see `fit_booster`.

    Returns:
        The model, and the RMSE in rings of every round: ``{"train": [...], "validation": [...]}``.

    Raises:
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: A split has no rows or no usable rings.
    """
    import xgboost

    matrix = _matrix(train, weights, nthread)
    watched = {"train": matrix, "validation": _matrix(validation, None, nthread, ref=matrix)}
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        _parameters(chosen, nthread),
        matrix,
        chosen.num_boost_round,
        evals=[(each, name) for name, each in watched.items()],
        evals_result=history,
        verbose_eval=False,
        callbacks=[_progress_callback(on_progress)] if on_progress else None,
    )
    return BoosterModel(booster), {name: [*values["rmse"]] for name, values in history.items()}


def learn(
    train: Columns,
    weights: NDArray[np.float64],
    validation: Columns,
    chosen: BoosterHyperparameters,
    on_progress: Progress | None = None,
    nthread: int = 1,
) -> Learnt:
    """What `watch_booster` makes, ready for an archive; arguments and errors are the same."""
    model, history = watch_booster(train, weights, validation, chosen, on_progress, nthread=nthread)
    return Learnt(
        model=model,
        files={MODEL_FILES["xgboost"]: model.to_ubj()},
        versions=booster_versions(),
        objective=OBJECTIVE,
        best_iteration=chosen.num_boost_round - 1,
        history=history,
    )


def booster_versions() -> dict[str, str]:
    """``{"xgboost": version}``."""
    import xgboost

    return {"xgboost": xgboost.__version__}


def _parameters(chosen: BoosterHyperparameters, nthread: int) -> dict[str, Any]:
    return {
        **chosen.booster_parameters(),
        "objective": OBJECTIVE,
        "tree_method": "hist",
        "eval_metric": "rmse",
        "nthread": nthread,
    }


def _matrix(
    columns: Columns,
    weights: NDArray[np.float64] | None,
    nthread: int,
    ref: QuantileDMatrix | None = None,
) -> QuantileDMatrix:
    from xgboost import QuantileDMatrix

    return QuantileDMatrix(
        design_matrix(columns, BOOSTER_FEATURES),
        label=target(columns),
        weight=weights,
        feature_names=list(BOOSTER_FEATURES),
        nthread=nthread,
        ref=ref,
    )


def _progress_callback(on_progress: Progress) -> Any:  # noqa: ANN401 - its base class loads lazily
    from xgboost.callback import TrainingCallback

    class _Report(TrainingCallback):
        def after_iteration(self, model: object, epoch: int, evals_log: Any) -> bool:  # noqa: ANN401, ARG002 - xgboost's signature
            on_progress(epoch + 1, {name: log["rmse"][-1] for name, log in evals_log.items()})
            return False

    return _Report()
