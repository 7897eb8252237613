"""What a model's recipe predicts for the rows that took part in its training, had it not seen them.

`abalone_assets.modeling.training.cross_fitting` makes these predictions; an archive keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abalone_assets.modeling.models.npz import read_npz, to_npz

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class OutOfFold:
    """What a recipe predicts for animals that it did not learn from.

    Attributes:
        keys: `dataset.row_keys` of the animals, ``(n,)``.
        predicted: Their rings, ``(n,)``.
        folds: Number of folds.
    """

    keys: NDArray[np.uint64]
    predicted: NDArray[np.float64]
    folds: int

    def predictions_for(self, keys: NDArray[np.uint64]) -> NDArray[np.float64]:
        """The rings predicted for the rows of these keys, ``(n,)``; NaN for a row not in here."""
        if not self.keys.size:
            return np.full(keys.size, np.nan)
        order = np.argsort(self.keys)
        ranked = self.keys[order]
        place = np.minimum(np.searchsorted(ranked, keys), ranked.size - 1)
        return np.where(ranked[place] == keys, self.predicted[order][place], np.nan)

    def to_bytes(self) -> bytes:
        """NumPy's ``.npz`` without pickles, the same bytes for the same predictions."""
        return to_npz({"keys": self.keys, "predicted": self.predicted, "folds": self.folds})

    @classmethod
    def from_bytes(cls, data: bytes) -> OutOfFold:
        """The predictions that `to_bytes` wrote.

        Raises:
            ModelArchiveError: They are damaged.
        """
        with read_npz(data, "no out-of-fold predictions") as arrays:
            table = cls(arrays["keys"], arrays["predicted"], int(arrays["folds"]))
            _check(table)
            return table


def _check(table: OutOfFold) -> None:
    kinds = f"{table.keys.dtype} {table.predicted.dtype}"
    if kinds != "uint64 float64" or table.keys.ndim != 1:
        raise ValueError(f"keys and predictions are {kinds}, not uint64 float64")
    if table.keys.shape != table.predicted.shape or not np.isfinite(table.predicted).all():
        raise ValueError("each key must have one finite prediction")
