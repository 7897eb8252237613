"""A trained model as it answers, whatever trained it.

This module and those of the models travel inside every model archive: they need NumPy only, and
XGBoost when boosted trees are part of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from abalone_assets.modeling.features import design_matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

CARD_FILE: Final = "model_card.json"

OUT_OF_FOLD_FILE: Final = "out_of_fold.npz"


class Model(Protocol):
    """What evaluation and serving ask of a model."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features it was trained on, in its order."""

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The rings predicted for each row of a design matrix of its features."""

    def importance(self) -> dict[str, float] | None:
        """What each feature adds by the model's own account; None when it keeps none."""

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """What each feature adds to each row's ``ln(rings)``; None when the model cannot tell.

        ``(n, features + 1)``; the last column is what all rows have in common.
        """


def predict_rings(model: Model, columns: Columns) -> NDArray[np.float64]:
    """The rings predicted for ``n`` abalones given column by column.

    Raises:
        FeatureError: The columns cannot be turned into the features that the model wants.
    """
    return model.predict(design_matrix(columns, model.features))
