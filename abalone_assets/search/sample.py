"""The rows of a study, and the error of a recipe on those that it has not learnt from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.errors import AbaloneError
from abalone_assets.modeling.dataset import is_surveyed, row_keys, take, target
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.training.weights import sample_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.training.learners import Learner


MIN_ROWS_PER_FOLD: Final = 10
"""Surveyed rows on the average; with fewer, a score says nothing."""


_SEARCH: Final = b"search"
_RESCORING: Final = b"re-scoring"


class SearchError(AbaloneError):
    """There is too little to search on, or nothing that could be searched."""


@dataclass(frozen=True)
class Sample:
    """Rows, each of which is predicted by a model that learnt from the rows of other folds.

    Simulated rows are learnt from, at the weight that training gives them, and never scored.

    Attributes:
        columns: The survey columns by name, ``n`` values each.
        fold: The fold of each row, ``(n,)``.
        folds: How many.
        max_synthetic_share: Largest share of simulated rows in the weight of a fit.
    """

    columns: Columns
    fold: NDArray[np.int64]
    folds: int
    max_synthetic_share: float

    @classmethod
    def of(cls, columns: Columns, folds: int, max_synthetic_share: float) -> Sample:
        """Rows in folds that follow from their keys, but are not those of the gate's evidence.

        A release is judged by its out-of-fold predictions. Hyperparameters that were chosen on the
        very same folds would go into that test with a head start.

        Raises:
            SearchError: Fewer than two folds, or too few surveyed rows for so many.
        """
        if folds < 2:  # noqa: PLR2004 - one fold leaves nothing to learn from
            raise SearchError(f"{folds} folds: a search needs two or more")
        surveyed = int(is_surveyed(columns).sum())
        if surveyed < folds * MIN_ROWS_PER_FOLD:
            raise SearchError(
                f"{surveyed} surveyed training rows are too few for {folds} folds: wait for "
                f"{folds * MIN_ROWS_PER_FOLD} of them"
            )
        fold = _folds(row_keys(columns), folds, _SEARCH)
        return cls(columns, fold, folds, max_synthetic_share)

    def refolded(self) -> Sample:
        """The same rows in other folds, which owe nothing to these or to the gate's."""
        fold = _folds(row_keys(self.columns), self.folds, _RESCORING)
        return Sample(self.columns, fold, self.folds, self.max_synthetic_share)

    @property
    def surveyed(self) -> NDArray[np.bool_]:
        """Which rows are scored, ``(n,)``."""
        return is_surveyed(self.columns)

    def predictions(self, learner: Learner) -> NDArray[np.float64]:
        """Rings predicted for each row by the model that has not seen its fold, ``(n,)``.

        Rows that are not scored stay NaN.
        """
        predicted = np.full(self.fold.size, np.nan)
        for rows, rings in self._fold_predictions(learner):
            predicted[rows] = rings
        return predicted

    def running_rmse(self, learner: Learner) -> Iterator[float]:
        """RMSE in rings over the scored rows of the first fold, of the first two, and so on."""
        actual = target(self.columns)
        squared, rows_seen = 0.0, 0
        for rows, rings in self._fold_predictions(learner):
            squared += float(np.sum((rings - actual[rows]) ** 2))
            rows_seen += rows.size
            yield float(np.sqrt(squared / rows_seen))

    def squared_errors(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the scored rows only, rings squared."""
        scored = self.surveyed
        errors: NDArray[np.float64] = (predicted - target(self.columns))[scored] ** 2
        return errors

    def _fold_predictions(
        self, learner: Learner
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        scored = self.surveyed
        for fold in range(self.folds):
            learnt: dict[str, Any] = take(self.columns, self.fold != fold)
            model = learner(learnt, sample_weights(learnt, self.max_synthetic_share))
            rows = np.flatnonzero((self.fold == fold) & scored)
            if rows.size:
                yield rows, predict_rings(model, take(self.columns, rows))


def _folds(keys: NDArray[np.uint64], folds: int, purpose: bytes) -> NDArray[np.int64]:
    """The fold of each row, ``(n,)``, by a hash of its key that each purpose has of its own."""
    digests = b"".join(
        hashlib.blake2b(key.tobytes(), digest_size=8, person=purpose).digest() for key in keys
    )
    return (np.frombuffer(digests, dtype="<u8") % np.uint64(folds)).astype(np.int64)
