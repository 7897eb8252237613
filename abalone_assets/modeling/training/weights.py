"""How much each row counts in training: animals fully, simulated ones as a group only so much.

A model that learns from its own simulations drifts away from the animals (Shumailov et al., *AI
models collapse when trained on recursively generated data*, Nature 631, 2024); a cap on their share
of the weight bounds how far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abalone_assets.modeling.dataset import is_surveyed, take
from abalone_assets.modeling.hyperparameters import MAX_SYNTHETIC_SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns


def sample_weights(
    columns: Columns, max_synthetic_share: float = MAX_SYNTHETIC_SHARE
) -> NDArray[np.float64]:
    """The weight of each row in training, ``(n,)``.

    Args:
        columns: Survey columns by name, ``n`` values each, and ``origin`` if it is known.
        max_synthetic_share: The largest share of the total weight that simulated rows may hold, at
            least 0 and below 1.

    Returns:
        1 for surveyed rows. Simulated rows have 1 as well while they hold at most their share, else
        as much less as makes it so. All 1 when nothing is surveyed.
    """
    surveyed = is_surveyed(columns)
    animals, simulated = int(surveyed.sum()), int((~surveyed).sum())
    if not animals or not simulated:
        return np.ones(surveyed.size)
    allowed = animals * max_synthetic_share / (1 - max_synthetic_share)
    return np.where(surveyed, 1.0, min(1.0, allowed / simulated))


def synthetic_weight_share(columns: Columns, weights: NDArray[np.float64]) -> float:
    """The share of the total weight that simulated rows hold; ``weights`` are ``(n,)``."""
    return float(weights[~is_surveyed(columns)].sum() / weights.sum())


def counted(columns: Columns, weights: NDArray[np.float64]) -> tuple[Columns, NDArray[np.float64]]:
    """The rows that weigh anything, and their weights."""
    heavy = weights > 0
    return (columns, weights) if heavy.all() else (take(columns, heavy), weights[heavy])
