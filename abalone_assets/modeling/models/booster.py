"""A gradient-boosted model of XGBoost, ready to answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.models.trees import Trees, compiled

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from xgboost import Booster

BOOSTER_FILE: Final = "model.ubj"
"""Its file in an archive."""

FEW_ROWS: Final = 8
"""Up to so many rows, trees compiled to arrays are faster than XGBoost itself."""


@dataclass(frozen=True)
class BoosterModel:
    """A booster that names its features; see `model.Model`."""

    booster: Booster

    @cached_property  # XGBoost builds them anew whenever it is asked
    def features(self) -> tuple[str, ...]:
        """The features it was trained on, in its order."""
        return tuple(self.booster.feature_names or ())

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The rings predicted for each row of a design matrix of its features."""
        if len(matrix) <= FEW_ROWS and self._trees is not None:
            return self._trees.predict(matrix).astype(np.float64)
        # Unlike `predict`, `inplace_predict` takes no lock: threads answer side by side. It would
        # count its features first, which the design matrix has done.
        rings = self.booster.inplace_predict(matrix, validate_features=False)
        return np.asarray(rings, dtype=np.float64)

    @cached_property
    def _trees(self) -> Trees | None:
        return compiled(self.booster)

    def importance(self) -> dict[str, float]:
        """Mean gain of the splits on each feature; unused features have 0."""
        gains = cast("dict[str, float]", self.booster.get_score(importance_type="gain"))
        return {name: gains.get(name, 0.0) for name in self.features}

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to ``ln(rings)`` of each row, ``(n, features + 1)``.

        SHAP values by XGBoost itself (Lundberg et al., *From local explanations to global
        understanding with explainable AI for trees*, Nature Machine Intelligence 2, 2020); the last
        column is what all rows have in common, and a row's sum is the logarithm of its prediction.
        """
        from xgboost import DMatrix

        data = DMatrix(matrix, feature_names=list(self.features), nthread=1)
        return np.asarray(self.booster.predict(data, pred_contribs=True), dtype=np.float64)

    def to_ubj(self) -> bytes:
        """Its file: XGBoost's UBJSON, the same bytes for the same model."""
        return bytes(self.booster.save_raw("ubj"))


def read_booster(data: bytes, path: Path) -> BoosterModel:
    """A model from XGBoost's UBJSON.

    Args:
        data: The file's content, known to be undamaged.
        path: The file, for errors.

    Raises:
        ModelArchiveError: It is no XGBoost model, or does not name its features.
    """
    import xgboost

    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(data))
    except xgboost.core.XGBoostError as error:
        raise ModelArchiveError(f"{path}: not an XGBoost model: {_first_line(error)}") from error
    if not booster.feature_names:
        raise ModelArchiveError(
            f"{path}: the model does not name its features: train it with this project"
        )
    # A request is a handful of rows: starting threads would take longer than predicting.
    booster.set_param({"nthread": 1})
    return BoosterModel(booster)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
