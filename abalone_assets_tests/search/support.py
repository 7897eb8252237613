"""Rows small enough to search on within a test, and trials without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from abalone_assets.modeling.hyperparameters import BlendHyperparameters
from abalone_assets.search import Trial
from abalone_assets.search.spaces import searched_of
from abalone_assets_tests.synthesis.support import base_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.search import Part

Table = dict[str, "NDArray[Any]"]

TODAY = BlendHyperparameters()
BOOSTER = searched_of(TODAY, "booster")
"""What releases train with, unless somebody says otherwise."""


def rows(count: int = 120) -> Table:
    """The first rows of the bundled survey."""
    return {name: values[:count] for name, values in base_rows().items()}


def lawful_rows(count: int = 240) -> Table:
    """Animals whose rings follow from their length without any noise."""
    table = rows(count)
    length = np.linspace(0.1, 0.8, count).round(4)
    steps = 3 + 2 * np.floor(12 * length)
    return {**table, "length": length, "rings": steps.astype(np.int64)}


def trial(part: Part, number: int, rmse: float, **hyperparameters: float) -> Trial:
    """A complete trial of four folds."""
    return Trial(part, number, "complete", rmse, (rmse,) * 4, 0.1, hyperparameters)
