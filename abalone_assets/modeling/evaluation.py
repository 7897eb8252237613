"""What a model, and the champion it would replace, make of the test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.modeling.dataset import rows_sha256, target
from abalone_assets.modeling.metrics import permutation_importance, r2, rmse, scores, slices
from abalone_assets.modeling.model import predict_rings

if TYPE_CHECKING:
    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.model import Model

GAIN: Final = "mean gain of the splits on a feature (Poisson loss)"
PERMUTATION: Final = "rise of the RMSE, in rings, when a column is shuffled"


@dataclass(frozen=True)
class Champion:
    """The model that answers requests today.

    Attributes:
        version: Its version in the registry.
        model: The model, of whatever framework.
        model_sha256: Digest of the model's file.
    """

    version: str
    model: Model
    model_sha256: str


def evaluate_model(
    model: Model,
    test: Columns,
    *,
    model_sha256: str,
    training_mean_rings: float,
    champion: Champion | None = None,
) -> dict[str, Any]:
    """Score a model on rows it has never seen, and the champion on the same rows.

    Args:
        model: The candidate.
        test: The nine survey columns by name.
        model_sha256: Digest of the candidate's file.
        training_mean_rings: What the baseline predicts for every row.
        champion: Whom to compare with, if anyone.

    Returns:
        A JSON document: ``rows``, ``rmse``, ``mae``, ``bias`` and ``baseline_rmse`` in rings,
        ``r2`` (None when all rings are equal), ``slices`` (see `metrics.slices`),
        ``feature_importance`` (by name, the largest first) and ``importance_measure`` (what it
        means), ``model_sha256``, ``test_rows_sha256``, and ``champion``: None or ``{"version",
        "rmse", "mae", "bias", "model_sha256"}``.

    Raises:
        DatasetError: The test split is empty or has no usable rings.
        FeatureError: A column is missing or holds an impossible value.
    """
    actual = target(test)
    predicted = predict_rings(model, test)
    return {
        "rows": int(actual.size),
        **scores(predicted, actual),
        "r2": r2(predicted, actual),
        "baseline_rmse": rmse(np.full_like(actual, training_mean_rings), actual),
        "slices": slices(test, predicted),
        **_importance(model, test),
        "model_sha256": model_sha256,
        "test_rows_sha256": rows_sha256(test),
        "champion": None if champion is None else _champion_scores(champion, test),
    }


def _importance(model: Model, test: Columns) -> dict[str, Any]:
    """The model's own account of its features, or else what the test split tells."""
    own = model.importance()
    measured = permutation_importance(model, test) if own is None else own
    ranked = sorted(measured.items(), key=lambda item: -item[1])
    return {
        "feature_importance": dict(ranked),
        "importance_measure": PERMUTATION if own is None else GAIN,
    }


def _champion_scores(champion: Champion, test: Columns) -> dict[str, Any]:
    return {
        "version": champion.version,
        **scores(predict_rings(champion.model, test), target(test)),
        "model_sha256": champion.model_sha256,
    }
