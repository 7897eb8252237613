"""``evaluation.json``: what an evaluation says, field by field. Errors are in rings."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from abalone_assets.modeling.evaluation.baselines import Baselines
from abalone_assets.modeling.evaluation.champion import ChampionScores
from abalone_assets.modeling.evaluation.confidence import Confidence
from abalone_assets.modeling.evaluation.learning_curve import CurvePoint
from abalone_assets.modeling.evaluation.split_integrity import SplitIntegrity


class Slice(TypedDict):
    """Scores in rings of the rows that share a sex or an age band."""

    value: str
    rows: int
    rmse: float
    rmse_low: float
    rmse_high: float
    mae: float
    bias: float
    coverage: float | None


class PredictionInterval(TypedDict):
    """How often the intervals hold the counted rings, and how wide they are, in rings.

    ``pinball`` has the loss of each end, by the quantile that it stands for.
    """

    wanted: float
    coverage: float
    mean_width: float
    pinball: dict[str, float]


class Synthetic(TypedDict):
    """What simulated rows do; RMSE in rings, None where there are no such rows or no refit."""

    train_rows: int
    weight_share: float
    test_rows: int
    rmse_synthetic_rows: float | None
    rmse_all_rows: float
    rmse_trained_without: float | None


class Examples(TypedDict):
    """How many rows are example data, which is simulated but counts as surveyed."""

    train_rows: int
    test_rows: int
    all_train_rows: int
    all_test_rows: int


class EvaluationDocument(TypedDict):
    """``evaluation.json``: scores in rings on the surveyed rows of the test split.

    ``r2`` is None when all rings are equal. ``slices`` has those with rows, as ``sex`` and as
    ``age_band``. ``out_of_fold`` is of the surveyed rows of the training
    and the validation split. ``reference`` is the version that the model must hold against beside
    the champion: told as if that were the champion, and None when the champion itself is that.
    ``trained_on_train_split`` is whether the model's card has the digest of the training split.
    ``examples`` is None when there are none, and missing in documents of before.
    An evaluation without the study has an empty ``learning_curve`` and ``feature_importance``, and
    no ``rmse_trained_without``.
    """

    rows: int
    rmse: float
    mae: float
    bias: float
    r2: float | None
    baseline_rmse: float
    confidence: Confidence
    prediction_interval: PredictionInterval | None
    slices: dict[str, list[Slice]]
    baselines: Baselines
    out_of_fold: dict[str, Any] | None
    synthetic: Synthetic | None
    examples: NotRequired[Examples | None]
    learning_curve: list[CurvePoint]
    split: SplitIntegrity
    trained_on_train_split: bool
    feature_importance: dict[str, float]
    importance_measure: str
    model_sha256: str
    test_rows_sha256: str
    champion: ChampionScores | None
    reference: ChampionScores | None
