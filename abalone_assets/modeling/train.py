"""Fit a gradient-boosted model of ring counts, the same bytes for the same data and seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import AbaloneError
from abalone_assets.modeling.dataset import rows_sha256, target
from abalone_assets.modeling.features import FEATURE_NAMES, design_matrix
from abalone_assets.modeling.inference import predict_rings
from abalone_assets.modeling.metrics import mae, rmse

if TYPE_CHECKING:
    from xgboost import Booster, QuantileDMatrix

    from abalone_assets.modeling.features import Columns

OBJECTIVE: Final = "count:poisson"
"""Rings are a count whose spread grows with its mean, and a prediction must be positive."""

Progress = Callable[[int, Mapping[str, float]], None]
"""Called after every boosting round with its number, from 1, and each split's RMSE in rings."""


class HyperparameterError(AbaloneError):
    """A hyperparameter outside its range."""


def _bounded(default: float, low: float, high: float, description: str) -> Any:  # noqa: ANN401 - as dataclasses.field
    return field(default=default, metadata={"low": low, "high": high, "description": description})


@dataclass(frozen=True)
class Hyperparameters:
    """How to boost. Each field's ``metadata`` holds its ``description``, ``low`` and ``high``.

    The names are XGBoost's, described in its `parameter reference
    <https://xgboost.readthedocs.io/en/stable/parameter.html>`_. The defaults are a cautious recipe
    for some thousand noisy rows: shallow trees, small steps, half of the columns per tree.

    Raises:
        HyperparameterError: A value is of the wrong type or out of range.
    """

    eta: float = _bounded(0.03, 1e-4, 1.0, "Learning rate: the weight of each tree")
    max_depth: int = _bounded(4, 1, 16, "Splits between a tree's root and its deepest leaf")
    subsample: float = _bounded(0.7, 0.05, 1.0, "Share of the rows drawn for each tree")
    colsample_bytree: float = _bounded(0.6, 0.05, 1.0, "Share of the features drawn for each tree")
    min_child_weight: float = _bounded(10.0, 0.0, 1e4, "Least sum of Hessians in a leaf")
    reg_lambda: float = _bounded(10.0, 0.0, 1e6, "L2 penalty on the leaves' weights")
    num_boost_round: int = _bounded(2000, 1, 20_000, "Most trees to grow")
    early_stopping_rounds: int = _bounded(
        100, 1, 20_000, "Rounds without a better validation RMSE after which to stop"
    )
    seed: int = _bounded(0, 0, 2**31 - 1, "Seed of the row and feature draws")

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            kinds = (int,) if isinstance(each.default, int) else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise HyperparameterError(
                    f"{each.name} must be {kinds[-1].__name__}, not {value!r}"
                )
            low, high = each.metadata["low"], each.metadata["high"]
            if not (math.isfinite(value) and low <= value <= high):
                raise HyperparameterError(f"{each.name} must be {low} to {high}, not {value!r}")

    def booster_parameters(self) -> dict[str, Any]:
        """The part of them that XGBoost's ``params`` takes."""
        parameters = asdict(self)
        del parameters["num_boost_round"], parameters["early_stopping_rounds"]
        return parameters


@dataclass(frozen=True)
class FittedModel:
    """A trained model and how it came about.

    Attributes:
        ubj: The booster in XGBoost's UBJSON format, cut at its best round.
        hyperparameters: What it was trained with.
        best_iteration: The boosting round, from 0, of the least validation RMSE.
        metrics: ``{"train": {"rmse", "mae"}, "validation": {...}}`` in rings, of the cut model.
        history: RMSE in rings of every round, per split: ``{"train": [...], "validation": [...]}``.
        rows: Number of rows per split.
        training_mean_rings: Mean rings of the training rows: the baseline's prediction.
        training_rows_sha256: Digest of the training rows.
    """

    ubj: bytes
    hyperparameters: Hyperparameters
    best_iteration: int
    metrics: dict[str, dict[str, float]]
    history: dict[str, list[float]]
    rows: dict[str, int]
    training_mean_rings: float
    training_rows_sha256: str

    @property
    def sha256(self) -> str:
        """Digest of the booster's bytes."""
        return hashlib.sha256(self.ubj).hexdigest()


def fit(
    train: Columns,
    validation: Columns,
    hyperparameters: Hyperparameters | None = None,
    on_progress: Progress | None = None,
    *,
    nthread: int = 1,
) -> FittedModel:
    """Boost on the training rows until the validation RMSE stops falling.

    Args:
        train: The nine survey columns by name, at least one row.
        validation: Rows that decide when to stop, and are not learnt from.
        hyperparameters: Defaults to ``Hyperparameters()``.
        on_progress: See `Progress`.
        nthread: Threads; with one, same data, seed and XGBoost give the same bytes.

    Raises:
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: A split has no rows or no usable rings.
    """
    import xgboost

    chosen = hyperparameters or Hyperparameters()
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
        ubj=bytes(best.save_raw("ubj")),
        hyperparameters=chosen,
        best_iteration=best_iteration,
        metrics={name: _scores(best, columns) for name, columns in splits.items()},
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


def _scores(booster: Booster, columns: Columns) -> dict[str, float]:
    predicted, actual = predict_rings(booster, columns), target(columns)
    return {"rmse": rmse(predicted, actual), "mae": mae(predicted, actual)}


def _progress_callback(on_progress: Progress) -> Any:  # noqa: ANN401 - its base class loads lazily
    from xgboost.callback import TrainingCallback

    class _Report(TrainingCallback):
        def after_iteration(self, model: object, epoch: int, evals_log: Any) -> bool:  # noqa: ANN401, ARG002 - xgboost's signature
            on_progress(epoch + 1, {name: log["rmse"][-1] for name, log in evals_log.items()})
            return False

    return _Report()
