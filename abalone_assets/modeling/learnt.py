"""What a framework made of the training rows, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abalone_assets.modeling.dataset import target
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import mae, rmse

if TYPE_CHECKING:
    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.models.model import Model

Progress = Callable[[int, Mapping[str, float]], None]
"""Called after every round or epoch with its number, from 1, and each split's RMSE in rings."""


@dataclass(frozen=True)
class Learnt:
    """What a framework made of the training rows.

    Attributes:
        model: What answers.
        files: The archive's files by name, the one that answers requests among them.
        versions: Version of the framework, and of what else shaped the model.
        objective: The loss it minimises, in the framework's terms.
        best_iteration: The boosting round or the epoch, from 0, whose state the model is.
        history: RMSE in rings of every round or epoch, per split:
            ``{"train": [...], "validation": [...]}``.
    """

    model: Model
    files: dict[str, bytes]
    versions: dict[str, str]
    objective: str
    best_iteration: int
    history: dict[str, list[float]]


def score_splits(model: Model, splits: Mapping[str, Columns]) -> dict[str, dict[str, float]]:
    """``{"rmse", "mae"}`` in rings of a model on each split, by its name.

    Raises:
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: A split has no rows or no usable rings.
    """
    pairs = {name: (predict_rings(model, each), target(each)) for name, each in splits.items()}
    return {name: {"rmse": rmse(*pair), "mae": mae(*pair)} for name, pair in pairs.items()}
