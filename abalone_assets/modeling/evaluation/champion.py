"""A model beside the champion that it would replace, on rows that neither had learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from abalone_assets.modeling.dataset import concat, row_keys, take, target
from abalone_assets.modeling.evaluation.paired import Comparison, paired_comparisons
from abalone_assets.modeling.evaluation.slices import slice_masks
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.features import Columns


class Paired(TypedDict):
    """Comparisons on the same rows.

    ``overall`` and ``slices`` (those with rows, as ``sex`` and as ``age_band``) count every row
    that neither model had learnt, ``test`` the test rows alone.
    """

    overall: Comparison
    test: Comparison
    slices: dict[str, list[Comparison]]


class ChampionScores(TypedDict):
    """The champion on the test rows, and the model beside it.

    ``test_rows_alone`` says why no other rows are compared; None when others are.
    """

    version: str
    rmse: float
    mae: float
    bias: float
    model_sha256: str
    test_rows_alone: str | None
    paired: Paired


@dataclass(frozen=True)
class Champion:
    """The model that answers requests today, or another to be held against.

    Attributes:
        version: Its version in the registry.
        archived: The model, of whatever framework.
    """

    version: str
    archived: ArchivedModel


@dataclass(frozen=True)
class _Rows:
    """Rows with what both models predicted for them without having learnt them."""

    columns: Columns
    predicted: NDArray[np.float64]
    champion: NDArray[np.float64]


def champion_scores(
    challenger: ArchivedModel,
    champion: Champion,
    test: Columns,
    predicted: NDArray[np.float64],
    learnt: Columns,
) -> ChampionScores:
    """Compare a challenger with the champion.

    Test rows are rows that neither model ever saw. They are few, so rows that the challenger learnt
    count as well, by its out-of-fold predictions: of models that had not learnt them. For such a
    row the champion answers out of fold too, or plainly when it is newer than the champion.
    Without both out-of-fold tables the test rows must do. So they must when the tables have
    different numbers of folds: models of more folds learnt from more rows, and look better by that.

    Args:
        challenger: The model.
        champion: Whom it would replace.
        test: Surveyed rows of the test split.
        predicted: What the challenger predicts for them.
        learnt: Surveyed rows of the training and the validation split.
    """
    answered = predict_rings(champion.archived.model, test)
    tested = _Rows(test, predicted, answered)
    pooled, why_not_more = _pooled(tested, challenger, champion.archived, learnt)
    score = scores(answered, target(test))
    return {
        "version": champion.version,
        "rmse": score["rmse"],
        "mae": score["mae"],
        "bias": score["bias"],
        "model_sha256": champion.archived.card.model_sha256,
        "test_rows_alone": why_not_more,
        "paired": {**_compared(pooled), "test": {**_compared(tested)["overall"], "value": "test"}},
    }


def _pooled(
    tested: _Rows, challenger: ArchivedModel, champion: ArchivedModel, learnt: Columns
) -> tuple[_Rows, str | None]:
    """The test rows and those that can be added to them, or why none can."""
    table, another = challenger.out_of_fold, champion.out_of_fold
    if table is None or another is None:
        return tested, "one of both has no out-of-fold predictions"
    if table.folds != another.folds:
        folds = f"{table.folds} folds and of {another.folds}"
        return tested, f"the out-of-fold predictions are of {folds}"
    keys = row_keys(learnt)
    own, theirs = table.predictions_for(keys), another.predictions_for(keys)
    known = np.isfinite(own)
    if not known.any():
        return tested, "the out-of-fold predictions are of other rows"
    rows, own, theirs = take(learnt, known), own[known], theirs[known]
    never_seen = np.isnan(theirs)
    if never_seen.any():
        theirs[never_seen] = predict_rings(champion.model, take(rows, never_seen))
    pooled = _Rows(
        concat([tested.columns, rows]),
        np.concatenate([tested.predicted, own]),
        np.concatenate([tested.champion, theirs]),
    )
    return pooled, None


def _compared(rows: _Rows) -> Paired:
    actual = target(rows.columns)
    masks = slice_masks(rows.columns)
    everyone = {"overall": np.ones(len(actual), dtype=bool)}
    compared = paired_comparisons(
        (rows.predicted - actual) ** 2,
        (rows.champion - actual) ** 2,
        {**everyone, **masks["sex"], **masks["age_band"]},
    )
    return {
        "overall": compared["overall"],
        "test": compared["overall"],
        "slices": {kind: [compared[name] for name in parts] for kind, parts in masks.items()},
    }
