"""Fit a model of ring counts of any framework, with what tells how good it is.

A model learns from the training split. Its intervals are calibrated on the validation split, and
the same learner, fitted again without the rows in question, predicts the rows of both splits.
"""

from __future__ import annotations

import hashlib
import logging
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

import abalone_assets
from abalone_assets.modeling.card import FittedModel, ModelCard
from abalone_assets.modeling.dataset import concat, is_surveyed, row_keys, rows_sha256, take, target
from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import (
    CommonHyperparameters,
    Framework,
    chosen_hyperparameters,
)
from abalone_assets.modeling.known_animals import KnownAnimals
from abalone_assets.modeling.learnt import Progress, score_splits
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.training.cross_fitting import cross_fit, out_of_fold_scores
from abalone_assets.modeling.training.learners import learner_of
from abalone_assets.modeling.training.weights import counted, sample_weights, synthetic_weight_share

if TYPE_CHECKING:
    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.models.model import Model
    from abalone_assets.modeling.models.out_of_fold import OutOfFold
    from abalone_assets.modeling.training.learners import Learner

logger = logging.getLogger(__name__)


def fit(
    framework: Framework,
    train: Columns,
    validation: Columns,
    hyperparameters: CommonHyperparameters | None = None,
    on_progress: Progress | None = None,
    *,
    created_at: str | None = None,
) -> FittedModel:
    """Train a model, calibrate its intervals, and predict every row out of fold.

    Same data, seed and versions give the same bytes.

    Args:
        framework: What trains.
        train: The nine survey columns by name, at least one row, and ``origin`` if it is known.
        validation: Rows that calibrate the intervals, and nothing else; they are not learnt from.
        hyperparameters: The framework's defaults when None.
        on_progress: See `Progress`; folds are told to the log.
        created_at: ISO 8601, UTC; now when None. An archive's bytes depend on it.

    Raises:
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: A split has no rows or no usable rings.
        HyperparameterError: The hyperparameters are of another framework, or do not fit the data.
        AbaloneError: The framework needs what is not installed; the message says which extra.
    """
    chosen = hyperparameters or chosen_hyperparameters(framework, {})
    learner, trained_by = learner_of(framework, chosen), framework_named(framework)
    splits = {"train": train, "validation": validation}
    rows = {name: target(columns).size for name, columns in splits.items()}
    weights = sample_weights(train, chosen.max_synthetic_share)
    heavy, their_weights = counted(train, weights)
    learnt = trained_by.learn(heavy, their_weights, validation, chosen, on_progress)
    animals = {name: _animals(columns) for name, columns in splits.items()}
    everything = concat([train, validation])
    threads = None if trained_by.fits_side_by_side else 1
    out_of_fold = _out_of_fold(everything, learner, chosen, threads)
    intervals = _intervals(learnt.model, validation)
    answering = learnt.files[trained_by.file]
    card = ModelCard(
        framework=framework,
        versions={
            "abalone_assets": abalone_assets.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            **learnt.versions,
        },
        objective=learnt.objective,
        hyperparameters=asdict(chosen),
        best_iteration=learnt.best_iteration,
        metrics=score_splits(learnt.model, animals),
        rows=rows,
        training_mean_rings=float(target(animals["train"]).mean()),
        training_rows_sha256=rows_sha256(train),
        model_sha256=hashlib.sha256(answering).hexdigest(),
        created_at=created_at or datetime.now(UTC).isoformat(timespec="seconds"),
        intervals=intervals.document() if intervals else None,
        out_of_fold=out_of_fold_scores(out_of_fold, everything) if out_of_fold else None,
        synthetic={
            "rows": int((~is_surveyed(train)).sum()),
            "weight_share": synthetic_weight_share(train, weights),
        },
        known_animals=_known_animals(animals["train"], everything, out_of_fold).document(),
    )
    return FittedModel(
        card,
        learnt.model.features,
        learnt.files,
        learnt.history,
        out_of_fold=out_of_fold,
        learnt_rows=row_keys(everything),
    )


def _animals(columns: Columns) -> Columns:
    """The surveyed rows; all, where none is."""
    surveyed = is_surveyed(columns)
    return take(columns, surveyed) if surveyed.any() else columns


def _intervals(model: Model, validation: Columns) -> Intervals | None:
    animals = take(validation, is_surveyed(validation))
    return Intervals.calibrate(predict_rings(model, animals), animals)


def _known_animals(
    learnt: Columns, everything: Columns, out_of_fold: OutOfFold | None
) -> KnownAnimals:
    if out_of_fold is None:
        return KnownAnimals.of(learnt, np.empty(0), np.empty(0))
    predicted = out_of_fold.predictions_for(row_keys(everything))
    told = np.isfinite(predicted)
    return KnownAnimals.of(learnt, predicted[told], target(everything)[told])


def _out_of_fold(
    columns: Columns, learner: Learner, chosen: CommonHyperparameters, threads: int | None
) -> OutOfFold | None:
    """None when it is not asked for, or when there are no rows to hold out or to learn from."""
    if not chosen.folds:
        return None
    table = cross_fit(
        learner,
        columns,
        chosen.folds,
        chosen.max_synthetic_share,
        lambda number, error: logger.info(
            "fold %d of %d: out-of-fold rmse=%.5f", number, chosen.folds, error
        ),
        threads=threads,
    )
    return table if table.keys.size else None
