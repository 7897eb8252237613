"""A model beside the champion that it would replace, on rows that neither had learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from abalone_assets.modeling.dataset import concat, row_keys, take, target
from abalone_assets.modeling.evaluation.known_rows import known_rows, source_files
from abalone_assets.modeling.evaluation.paired import Comparison, paired_comparisons
from abalone_assets.modeling.evaluation.slices import slice_masks
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.features import Columns


NEW_FILES: Final = 10
"""Most files that are told one by one: those with the most rows."""


class _Parts(TypedDict):
    overall: Comparison
    slices: dict[str, list[Comparison]]


class Paired(_Parts):
    """Comparisons on the same rows.

    ``overall`` and ``slices`` (those with rows, as ``sex`` and as ``age_band``) count every row
    that neither model had learnt, ``test`` the test rows alone.
    """

    test: Comparison


class PairedOnKnownFiles(_Parts):
    """As `Paired`, on the rows that the champion knew; ``test`` is None when none is a test row."""

    test: Comparison | None


class KnownFiles(TypedDict):
    """The compared rows by whether the champion knew them: see `known_rows.KnownRows`.

    ``told_by`` says what tells; None when nothing does, and then there are no comparisons here.
    ``paired`` is of the rows that it knew, None when it knew none; ``new`` of all others, None when
    it knew all, and ``new_files`` of the `NEW_FILES` files with the most of these, by name.
    """

    told_by: str | None
    paired: PairedOnKnownFiles | None
    new: Comparison | None
    new_files: list[Comparison]


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
    known_files: KnownFiles


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
    """Rows with what both models predicted for them without having learnt them.

    The first of them are the ``tested`` rows of the test split; ``known`` are those that the
    champion knew.
    """

    columns: Columns
    predicted: NDArray[np.float64]
    champion: NDArray[np.float64]
    known: NDArray[np.bool_]
    tested: int

    def of(self, mask: NDArray[np.bool_]) -> _Rows:
        """The rows of a mask, ``(n,)``."""
        tested = int(mask[: self.tested].sum())
        columns = take(self.columns, mask)
        return _Rows(columns, self.predicted[mask], self.champion[mask], self.known[mask], tested)

    def compared(self, masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, Comparison]:
        """Both models in groups of these rows, by the groups' names."""
        actual = target(self.columns)
        own, champion = (self.predicted - actual) ** 2, (self.champion - actual) ** 2
        return paired_comparisons(own, champion, masks)


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

    All of it is told twice: on all these rows, and on those that the champion knew.

    Args:
        challenger: The model.
        champion: Whom it would replace.
        test: Surveyed rows of the test split.
        predicted: What the challenger predicts for them.
        learnt: Surveyed rows of the training and the validation split.
    """
    answered = predict_rings(champion.archived.model, test)
    known = known_rows(champion.archived, learnt, test)
    tested = _Rows(test, predicted, answered, known.test, len(answered))
    pooled, why_not_more = _pooled(tested, challenger, champion.archived, learnt, known.learnt)
    score = scores(answered, target(test))
    paired: Paired = {**_compared(pooled), "test": _tested(tested)}
    return {
        "version": champion.version,
        "rmse": score["rmse"],
        "mae": score["mae"],
        "bias": score["bias"],
        "model_sha256": champion.archived.card.model_sha256,
        "test_rows_alone": why_not_more,
        "paired": paired,
        "known_files": _by_file(pooled, known.told_by, paired),
    }


def _pooled(
    tested: _Rows,
    challenger: ArchivedModel,
    champion: ArchivedModel,
    learnt: Columns,
    known: NDArray[np.bool_],
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
    answered = np.isfinite(own)
    if not answered.any():
        return tested, "the out-of-fold predictions are of other rows"
    rows, own, theirs = take(learnt, answered), own[answered], theirs[answered]
    never_seen = np.isnan(theirs)
    if never_seen.any():
        theirs[never_seen] = predict_rings(champion.model, take(rows, never_seen))
    pooled = _Rows(
        concat([tested.columns, rows]),
        np.concatenate([tested.predicted, own]),
        np.concatenate([tested.champion, theirs]),
        np.concatenate([tested.known, known[answered]]),
        tested.tested,
    )
    return pooled, None


def _compared(rows: _Rows) -> _Parts:
    masks = slice_masks(rows.columns)
    everyone = {"overall": np.ones(rows.known.size, dtype=bool)}
    compared = rows.compared({**everyone, **masks["sex"], **masks["age_band"]})
    return {
        "overall": compared["overall"],
        "slices": {kind: [compared[name] for name in parts] for kind, parts in masks.items()},
    }


def _tested(rows: _Rows) -> Comparison:
    return {**_compared(rows)["overall"], "value": "test"}


def _by_file(rows: _Rows, told_by: str | None, paired: Paired) -> KnownFiles:
    """The comparisons on the rows that the champion knew and on the others."""
    if told_by is None:
        return {"told_by": None, "paired": None, "new": None, "new_files": []}
    if rows.known.all():
        same: PairedOnKnownFiles = {**paired}
        return {"told_by": told_by, "paired": same, "new": None, "new_files": []}
    new = rows.of(~rows.known)
    names = source_files(new.columns)
    files, counts = np.unique(names, return_counts=True)
    largest = files[np.argsort(-counts, kind="stable")[:NEW_FILES]]
    everyone = {"": np.ones(names.size, dtype=bool)}
    compared = new.compared({**everyone, **{f"of {name}": names == name for name in largest}})
    return {
        "told_by": told_by,
        "paired": _on_known_files(rows) if rows.known.any() else None,
        "new": {**compared[""], "value": "new"},
        "new_files": [{**compared[f"of {name}"], "value": str(name)} for name in largest],
    }


def _on_known_files(rows: _Rows) -> PairedOnKnownFiles:
    known_test = rows.known & (np.arange(rows.known.size) < rows.tested)
    return {
        **_compared(rows.of(rows.known)),
        "test": _tested(rows.of(known_test)) if known_test.any() else None,
    }
