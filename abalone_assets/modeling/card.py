"""A trained model and its papers: what its archive keeps of where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.models.out_of_fold import OutOfFold


@dataclass(frozen=True)
class ModelCard:
    """Where a model comes from.

    Attributes:
        framework: A name of `hyperparameters.Framework`.
        versions: Version of the framework, of Python and of what else shaped the model.
        objective: The loss it minimises, in the framework's terms.
        hyperparameters: By name.
        best_iteration: The boosting round or the epoch, from 0, whose state it is.
        metrics: RMSE and MAE in rings on the surveyed rows, per split.
        rows: Number of rows, per split.
        training_mean_rings: Mean rings of the training rows: the baseline's prediction.
        training_rows_sha256: Digest of the training rows.
        model_sha256: Digest of the file that answers requests.
        created_at: ISO 8601, UTC.
        intervals: ``{"coverage", "log_ratios"}`` of the prediction intervals, if there are any.
        out_of_fold: ``{"rows", "folds", "rmse", "mae"}`` of the out-of-fold predictions on the
            surveyed rows of training and validation, if there are any.
        synthetic: ``{"rows", "weight_share"}`` of the simulated rows learnt from; None in cards
            written before rows told their origin.
        known_animals: `KnownAnimals.document` of the surveyed training rows; None in cards written
            before this was kept.
    """

    framework: str
    versions: dict[str, str]
    objective: str
    hyperparameters: dict[str, Any]
    best_iteration: int
    metrics: dict[str, dict[str, float]]
    rows: dict[str, int]
    training_mean_rings: float
    training_rows_sha256: str
    model_sha256: str
    created_at: str
    intervals: dict[str, Any] | None = None
    out_of_fold: dict[str, Any] | None = None
    synthetic: dict[str, Any] | None = None
    known_animals: dict[str, Any] | None = None

    def headlines(self) -> dict[str, str | float]:
        """What one asks of a model first; RMSE in rings, rounds of boosting or epochs.

        ``out_of_fold_rmse`` is there when there are out-of-fold predictions.
        """
        known = {"out_of_fold_rmse": self.out_of_fold["rmse"]} if self.out_of_fold else {}
        return {
            "framework": self.framework,
            "train_rmse": self.metrics["train"]["rmse"],
            "validation_rmse": self.metrics["validation"]["rmse"],
            **known,
            "rounds": self.best_iteration + 1,
        }


@dataclass(frozen=True)
class FittedModel:
    """A model trained just now: what goes into its archive, and how the training went.

    Attributes:
        card: Where it comes from.
        features: What it sees, in its order.
        files: The archive's files by name, the one that answers requests among them.
        history: RMSE in rings of every round or epoch, per split:
            ``{"train": [...], "validation": [...]}``; of a blend, the boosted trees'.
        out_of_fold: What its recipe predicts for rows that it has not seen, if that was asked for.
        learnt_rows: `dataset.row_keys` of the training and the validation split, ``(n,)``.
    """

    card: ModelCard
    features: tuple[str, ...]
    files: dict[str, bytes]
    history: dict[str, list[float]]
    out_of_fold: OutOfFold | None = None
    learnt_rows: NDArray[np.uint64] | None = None
