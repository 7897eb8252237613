"""A model trained just now, whatever trained it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.modeling.dataset import target
from abalone_assets.modeling.models.model import MODEL_FILES, predict_rings
from abalone_assets.modeling.scores import mae, rmse

if TYPE_CHECKING:
    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import Framework, Hyperparameters
    from abalone_assets.modeling.models.intervals import Intervals
    from abalone_assets.modeling.models.model import Model
    from abalone_assets.modeling.models.out_of_fold import OutOfFold

Progress = Callable[[int, Mapping[str, float]], None]
"""Called after every round or epoch with its number, from 1, and each split's RMSE in rings."""


@dataclass(frozen=True)
class Learnt:
    """What a framework made of the training rows.

    Attributes:
        model: What answers.
        files: The archive's files by name, the one that answers requests among them.
        versions: Version of the framework, and of what else shaped the model.
        objective: The loss it minimises, in the framework's terms.
        best_iteration: The boosting round or the epoch, from 0, whose state the model is.
        history: RMSE in rings of every round or epoch, per split:
            ``{"train": [...], "validation": [...]}``.
    """

    model: Model
    files: dict[str, bytes]
    versions: dict[str, str]
    objective: str
    best_iteration: int
    history: dict[str, list[float]]


@dataclass(frozen=True)
class FittedModel:
    """A trained model and how it came about.

    Attributes:
        framework: What trained it.
        versions: As `Learnt`.
        objective: As `Learnt`.
        features: What it sees, in its order.
        files: As `Learnt`.
        hyperparameters: What it was trained with.
        best_iteration: As `Learnt`.
        metrics: ``{"train": {"rmse", "mae"}, "validation": {...}}`` in rings, of this model on the
            surveyed rows.
        history: As `Learnt`; of a blend, the boosted trees'.
        rows: Number of rows per split.
        training_mean_rings: Mean rings of the surveyed training rows: the baseline's prediction.
        training_rows_sha256: Digest of the training rows.
        intervals: Its prediction intervals, if there were rows enough to calibrate them.
        out_of_fold: What its recipe predicts for rows that it has not seen, if that was asked for.
        out_of_fold_scores: ``{"rows", "folds", "rmse", "mae"}`` of these predictions.
        synthetic: ``{"rows", "weight_share"}`` of the simulated rows in training.
    """

    framework: Framework
    versions: dict[str, str]
    objective: str
    features: tuple[str, ...]
    files: dict[str, bytes]
    hyperparameters: Hyperparameters
    best_iteration: int
    metrics: dict[str, dict[str, float]]
    history: dict[str, list[float]]
    rows: dict[str, int]
    training_mean_rings: float
    training_rows_sha256: str
    intervals: Intervals | None = None
    out_of_fold: OutOfFold | None = None
    out_of_fold_scores: dict[str, Any] | None = None
    synthetic: dict[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """Digest of the file that answers requests."""
        return hashlib.sha256(self.files[MODEL_FILES[self.framework]]).hexdigest()


def score_splits(model: Model, splits: Mapping[str, Columns]) -> dict[str, dict[str, float]]:
    """``{"rmse", "mae"}`` in rings of a model on each split, by its name.

    Raises:
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: A split has no rows or no usable rings.
    """
    return {name: _scores(model, columns) for name, columns in splits.items()}


def _scores(model: Model, columns: Columns) -> dict[str, float]:
    predicted, actual = predict_rings(model, columns), target(columns)
    return {"rmse": rmse(predicted, actual), "mae": mae(predicted, actual)}
