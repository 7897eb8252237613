"""Models that learn little and are released all the same: tests train thousands."""

from __future__ import annotations

from typing import Final

TINY: Final = {"num_boost_round": 8, "eta": 0.4, "landmarks": 20, "folds": 2}
"""Their hyperparameters."""
