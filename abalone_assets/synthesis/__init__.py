"""Simulated surveys: synthesizers fitted on real animals, the surveys they write, and how good.

A recipe (:mod:`recipes`) learns the joint distribution of the nine survey columns, in a
representation (:mod:`representation`) in which every ratio that biology keeps within bounds is a
number without bounds. What it draws is read off as the crews' instruments would, and obeys the
survey contract by construction (:mod:`contract`). How near it comes to real animals, and whether it
comes too near to single ones, is measured (:mod:`quality`) before anything lands.

Simulated surveys exercise the pipeline. They teach a model nothing that the real rows do not, and
no model is judged by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from abalone_assets.errors import AbaloneError

__all__ = [
    "DEFAULT_EPOCHS",
    "DEFAULT_RECIPE",
    "DEFAULT_SEEDS",
    "MAX_EPOCHS",
    "MAX_ROWS",
    "MAX_SEEDS",
    "Recipe",
    "SynthesisError",
]

Recipe = Literal["copula", "ctgan", "tvae"]
DEFAULT_RECIPE: Final[Recipe] = "copula"
DEFAULT_EPOCHS: Final[Mapping[Recipe, int]] = {"copula": 0, "ctgan": 100, "tvae": 100}
DEFAULT_SEEDS: Final[Mapping[Recipe, int]] = {"copula": 1, "ctgan": 2, "tvae": 2}

MAX_ROWS: Final = 100_000
"""In one survey: some hundred times what a crew lands in a day."""

MAX_EPOCHS: Final = 10_000
MAX_SEEDS: Final = 20


class SynthesisError(AbaloneError):
    """A synthesizer cannot be fitted, read or drawn from."""
