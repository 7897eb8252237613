"""Fit a gradient-boosted model of ring counts, the same bytes for the same data and seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.booster import BoosterModel
from abalone_assets.modeling.dataset import rows_sha256, target
from abalone_assets.modeling.features import FEATURE_NAMES, design_matrix
from abalone_assets.modeling.fitted import FittedModel, Progress, score_splits
from abalone_assets.modeling.hyperparameters import BoosterHyperparameters
from abalone_assets.modeling.model import MODEL_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xgboost import QuantileDMatrix

    from abalone_assets.modeling.features import Columns

OBJECTIVE: Final = "count:poisson"
"""Rings are a count whose spread grows with its mean, and a prediction must be positive."""


def fit(
    train: Columns,
    validation: Columns,
    hyperparameters: BoosterHyperparameters | None = None,
    on_progress: Progress | None = None,
    *,
    nthread: int = 1,
) -> FittedModel:
    """Boost on the training rows until the validation RMSE stops falling.

    Args:
        train: The nine survey columns by name, at least one row.
        validation: Rows that decide when to stop, and are not learnt from.
        hyperparameters: Defaults to ``BoosterHyperparameters()``.
        on_progress: See `Progress`.
        nthread: Threads; with one, same data, seed and XGBoost give the same bytes.

    Raises:
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: A split has no rows or no usable rings.
    """
    import xgboost

    chosen = hyperparameters or BoosterHyperparameters()
    splits = {"train": train, "validation": validation}
    matrices = _matrices(splits, nthread)
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        {
            **chosen.booster_parameters(),
            "objective": OBJECTIVE,
            "tree_method": "hist",
            "eval_metric": "rmse",
            "nthread": nthread,
        },
        matrices["train"],
        num_boost_round=chosen.num_boost_round,
        evals=[(matrix, name) for name, matrix in matrices.items()],
        early_stopping_rounds=chosen.early_stopping_rounds,
        evals_result=history,
        verbose_eval=False,
        callbacks=[_progress_callback(on_progress)] if on_progress else None,
    )
    best_iteration = int(booster.best_iteration)
    best = booster[: best_iteration + 1]
    rings = target(train)
    return FittedModel(
        framework="xgboost",
        versions={"xgboost": xgboost.__version__},
        objective=OBJECTIVE,
        features=FEATURE_NAMES,
        files={MODEL_FILES["xgboost"]: bytes(best.save_raw("ubj"))},
        hyperparameters=chosen,
        best_iteration=best_iteration,
        metrics=score_splits(BoosterModel(best), splits),
        history={name: [*values["rmse"]] for name, values in history.items()},
        rows={name: matrix.num_row() for name, matrix in matrices.items()},
        training_mean_rings=float(rings.mean()),
        training_rows_sha256=rows_sha256(train),
    )


def _matrices(splits: Mapping[str, Columns], nthread: int) -> dict[str, QuantileDMatrix]:
    from xgboost import QuantileDMatrix

    matrices: dict[str, QuantileDMatrix] = {}
    for name, columns in splits.items():
        matrices[name] = QuantileDMatrix(
            design_matrix(columns),
            label=target(columns),
            feature_names=list(FEATURE_NAMES),
            nthread=nthread,
            ref=matrices.get("train"),
        )
    return matrices


def _progress_callback(on_progress: Progress) -> Any:  # noqa: ANN401 - its base class loads lazily
    from xgboost.callback import TrainingCallback

    class _Report(TrainingCallback):
        def after_iteration(self, model: object, epoch: int, evals_log: Any) -> bool:  # noqa: ANN401, ARG002 - xgboost's signature
            on_progress(epoch + 1, {name: log["rmse"][-1] for name, log in evals_log.items()})
            return False

    return _Report()
