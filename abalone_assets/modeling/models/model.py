"""A trained model as it answers, whatever trained it.

This module and those of the models travel inside every model archive: they need NumPy only, and
XGBoost when boosted trees are part of the model.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.features import FEATURE_NAMES, design_matrix
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets.modeling.models.out_of_fold import OutOfFold

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

CARD_FILE: Final = "model_card.json"

OUT_OF_FOLD_FILE: Final = "out_of_fold.npz"

MODEL_FILES: Final = {
    "blend": "blend.npz",
    "xgboost": "model.ubj",
    "tensorflow": "network.npz",
}
"""The file that answers requests, by the framework that the model card names."""


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


def load_model(folder: str | os.PathLike[str]) -> Model:
    """Load the model of an extracted archive.

    Raises:
        ModelArchiveError: The folder holds no model, one that is not the model its card describes,
            or one that needs a framework or features which this version does not know.
    """
    card = _read_card(Path(folder))
    path = Path(folder) / _file_of(card)
    model = _loaded(path, _undamaged(path, card))
    unknown = sorted(set(model.features) - set(FEATURE_NAMES))
    if unknown:
        raise ModelArchiveError(
            f"{path}: needs features this version cannot compute: {', '.join(unknown)}"
        )
    return model


def load_intervals(folder: str | os.PathLike[str]) -> Intervals | None:
    """The prediction intervals of an extracted archive; None when its model has none.

    Raises:
        ModelArchiveError: The folder holds no model card, or one with damaged intervals.
    """
    document = _read_card(Path(folder)).get("intervals")
    return None if document is None else Intervals.from_document(document)


def load_out_of_fold(folder: str | os.PathLike[str]) -> OutOfFold | None:
    """The out-of-fold predictions of an extracted archive; None when it holds none.

    Raises:
        ModelArchiveError: They are damaged.
    """
    path = Path(folder) / OUT_OF_FOLD_FILE
    return OutOfFold.from_bytes(path.read_bytes()) if path.exists() else None


def _read_card(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads((folder / CARD_FILE).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelArchiveError(
            f"{folder}: not an extracted model archive with {CARD_FILE}: {error}"
        ) from error
    if not isinstance(card, dict):
        raise ModelArchiveError(f"{folder}: {CARD_FILE} is no model card")
    return card


def _file_of(card: dict[str, Any]) -> str:
    framework = card.get("framework")
    file = MODEL_FILES.get(framework) if isinstance(framework, str) else None
    if file is None:
        raise ModelArchiveError(
            f"{CARD_FILE} names the framework {framework!r}; this version of abalone_assets knows "
            f"{', '.join(MODEL_FILES)}: use the version that trained the model"
        )
    return file


def _undamaged(path: Path, card: dict[str, Any]) -> bytes:
    """The model's bytes, if its card vouches for them.

    XGBoost must not see damaged ones: a flipped bit of a UBJSON model often loads and predicts
    nonsense, or ends the process with a segmentation fault.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelArchiveError(
            f"{path.parent}: not an extracted model archive with {path.name}: {error}"
        ) from error
    if hashlib.sha256(data).hexdigest() != card.get("model_sha256"):
        raise ModelArchiveError(f"{path}: damaged, it is not the model that {CARD_FILE} describes")
    return data


def _loaded(path: Path, data: bytes) -> Model:
    if path.name == MODEL_FILES["xgboost"]:
        from abalone_assets.modeling.models.booster import read_booster

        return read_booster(data, path)
    if path.name == MODEL_FILES["blend"]:
        from abalone_assets.modeling.models.blend import read_blend

        return read_blend(data, path)
    from abalone_assets.modeling.models.network import read_network

    return read_network(data, path)
