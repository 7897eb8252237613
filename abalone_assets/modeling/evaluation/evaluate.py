"""What a model makes of the test split, and everything by which that is to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abalone_assets.modeling.dataset import (
    concat,
    count_examples,
    is_surveyed,
    row_keys,
    rows_sha256,
    take,
    target,
)
from abalone_assets.modeling.evaluation.baselines import baselines
from abalone_assets.modeling.evaluation.champion import Champion, ChampionScores, champion_scores
from abalone_assets.modeling.evaluation.confidence import Confidence, Interval, confidence
from abalone_assets.modeling.evaluation.importance import NO_IMPORTANCE
from abalone_assets.modeling.evaluation.slices import slice_masks
from abalone_assets.modeling.evaluation.split_integrity import split_integrity
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import EvaluationError, pinball, r2, rmse, scores
from abalone_assets.modeling.training.one_thread import one_blas_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.evaluation.document import (
        EvaluationDocument,
        Examples,
        PredictionInterval,
        Slice,
        Synthetic,
    )
    from abalone_assets.modeling.evaluation.split_integrity import SplitIntegrity
    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.models.model import Model


@dataclass(frozen=True)
class Splits:
    """The three splits, each its columns by name: the survey's nine, ``source_file``, ``origin``.

    Attributes:
        train: What the model learnt.
        validation: What its intervals were calibrated on.
        test: What it has never seen.
    """

    train: Columns
    validation: Columns
    test: Columns


@dataclass(frozen=True)
class Predictions:
    """The surveyed rows of the test split with what the model says of them, in rings.

    Attributes:
        columns: The rows.
        predicted: Predicted rings.
        interval: Low and high end of the prediction intervals, if the model has any.
    """

    columns: Columns
    predicted: NDArray[np.float64]
    interval: tuple[NDArray[np.float64], NDArray[np.float64]] | None

    @property
    def actual(self) -> NDArray[np.float64]:
        """Counted rings."""
        return target(self.columns)

    @property
    def covered(self) -> NDArray[np.bool_] | None:
        """Whether the interval holds the counted rings."""
        if self.interval is None:
            return None
        low, high = self.interval
        return (low <= self.actual) & (self.actual <= high)


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        document: Its numbers.
        predictions: What they are computed from.
    """

    document: EvaluationDocument
    predictions: Predictions


@one_blas_thread()  # the same bits everywhere, and no thread that burns a processor while it waits
def evaluate_model(
    candidate: ArchivedModel,
    splits: Splits,
    *,
    champion: Champion | None = None,
    reference: Champion | None = None,
    missing_rows: int | None = None,
    foreign_rows: int | None = None,
) -> Evaluation:
    """Score a model on surveyed rows that it has never seen, beside the champion and baselines.

    Who the reference is says `gate.decide`; what missing and foreign rows are, `split_integrity`.
    What decides nothing is left to `study.study_model`.

    Raises:
        EvaluationError: The test split has no surveyed row.
        DatasetError: A split has no usable rings.
        FeatureError: A column is missing or holds an impossible value.
    """
    predictions = predictions_on(candidate, splits.test)
    test, predicted, actual = predictions.columns, predictions.predicted, predictions.actual
    train, learnt = _learnt_from(splits)
    bars = baselines(train, test)
    score = scores(predicted, actual)
    intervals, sliced = _sliced(predictions)

    def beside(other: Champion | None) -> ChampionScores | None:
        if other is None:
            return None
        return champion_scores(candidate, other, test, predicted, learnt)

    document: EvaluationDocument = {
        "rows": len(actual),
        "rmse": score["rmse"],
        "mae": score["mae"],
        "bias": score["bias"],
        "r2": r2(predicted, actual),
        "baseline_rmse": bars["mean"],
        "confidence": intervals,
        "prediction_interval": _prediction_interval(candidate, predictions),
        "slices": sliced,
        "baselines": bars,
        "out_of_fold": candidate.card.out_of_fold,
        "synthetic": _synthetic(candidate, splits),
        "examples": _examples(splits),
        "learning_curve": [],
        "split": _integrity(candidate, splits, missing_rows, foreign_rows),
        "trained_on_train_split": (
            candidate.card.training_rows_sha256 == rows_sha256(splits.train)
        ),
        **NO_IMPORTANCE,
        "model_sha256": candidate.card.model_sha256,
        "test_rows_sha256": rows_sha256(test),
        "champion": beside(champion),
        "reference": beside(reference),
    }
    return Evaluation(document, predictions)


def predictions_on(candidate: ArchivedModel, test: Columns) -> Predictions:
    """What the model says of the surveyed rows of the test split.

    Raises:
        EvaluationError: There is none.
    """
    surveyed = is_surveyed(test)
    if not surveyed.any():
        raise EvaluationError(
            "the test split has no surveyed row: simulated animals do not judge a model; land a "
            "survey of a crew, or more of them"
        )
    rows = take(test, surveyed)
    predicted = predict_rings(candidate.model, rows)
    intervals = candidate.intervals
    return Predictions(
        rows, predicted, None if intervals is None else intervals.around(predicted, rows["sex"])
    )


def _learnt_from(splits: Splits) -> tuple[Columns, Columns]:
    """The surveyed rows of the training split, and of training and validation together.

    When all training rows are simulated, the baselines learn from these too.
    """
    learnt = concat([splits.train, splits.validation])
    surveyed = is_surveyed(splits.train)
    train = take(splits.train, surveyed) if surveyed.any() else splits.train
    return train, take(learnt, is_surveyed(learnt))


def _integrity(
    candidate: ArchivedModel, splits: Splits, missing: int | None, foreign: int | None
) -> SplitIntegrity:
    """The splits' integrity; test rows in the model's out-of-fold table have leaked as well."""
    found = split_integrity(
        splits.train, splits.validation, splits.test, missing=missing, foreign=foreign
    )
    if candidate.out_of_fold is None:
        return found
    test = row_keys(splits.test)
    counted = np.isin(test, row_keys(concat([splits.train, splits.validation])))
    learnt = np.isin(test, candidate.out_of_fold.keys) & ~counted
    return {**found, "leaked": found["leaked"] + int(learnt.sum())}


def _sliced(predictions: Predictions) -> tuple[Confidence, dict[str, list[Slice]]]:
    masks = slice_masks(predictions.columns)
    covered = predictions.covered
    overall, intervals = confidence(
        predictions.predicted, predictions.actual, covered, {**masks["sex"], **masks["age_band"]}
    )

    def scored(name: str, mask: NDArray[np.bool_], interval: Interval) -> Slice:
        score = scores(predictions.predicted[mask], predictions.actual[mask])
        return {
            "value": name,
            "rows": int(mask.sum()),
            "rmse": score["rmse"],
            "rmse_low": interval[0],
            "rmse_high": interval[1],
            "mae": score["mae"],
            "bias": score["bias"],
            "coverage": None if covered is None else float(covered[mask].mean()),
        }

    return overall, {
        kind: [scored(name, mask, intervals[name]) for name, mask in parts.items()]
        for kind, parts in masks.items()
    }


def _prediction_interval(
    candidate: ArchivedModel, predictions: Predictions
) -> PredictionInterval | None:
    covered = predictions.covered
    if candidate.intervals is None or predictions.interval is None or covered is None:
        return None
    low, high = predictions.interval
    wanted = candidate.intervals.coverage
    tail = (1 - wanted) / 2
    actual = predictions.actual
    return {
        "wanted": wanted,
        "coverage": float(covered.mean()),
        "mean_width": float(np.mean(high - low)),
        "pinball": {
            f"{tail:.3g}": pinball(low, actual, tail),
            f"{1 - tail:.3g}": pinball(high, actual, 1 - tail),
        },
    }


def _synthetic(candidate: ArchivedModel, splits: Splits) -> Synthetic | None:
    surveyed, tested = is_surveyed(splits.train), is_surveyed(splits.test)
    if surveyed.all() and tested.all():
        return None
    simulated = None if tested.all() else _rmse(candidate.model, take(splits.test, ~tested))
    recorded = candidate.card.synthetic or {}
    return {
        "train_rows": int((~surveyed).sum()),
        "weight_share": float(recorded.get("weight_share", 0.0)),
        "test_rows": int((~tested).sum()),
        "rmse_synthetic_rows": simulated,
        "rmse_all_rows": _rmse(candidate.model, splits.test),
        "rmse_trained_without": None,
    }


def _examples(splits: Splits) -> Examples | None:
    train, test = count_examples(splits.train), count_examples(splits.test)
    if not train and not test:
        return None
    return {
        "train_rows": train,
        "test_rows": test,
        "all_train_rows": len(target(splits.train)),
        "all_test_rows": len(target(splits.test)),
    }


def _rmse(model: Model, columns: Columns) -> float:
    return rmse(predict_rings(model, columns), target(columns))
