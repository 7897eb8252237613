"""The parts of a model: their defaults, and how one is fitted by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.hyperparameters import (
    BlendHyperparameters,
    BoosterHyperparameters,
    CommonHyperparameters,
    KernelHyperparameters,
)
from abalone_assets.modeling.training.recipes import kernel_recipe, recipe_of
from abalone_assets.search.spaces import SPACES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.modeling.training.recipes import Recipe
    from abalone_assets.search.spaces import Part

HYPERPARAMETERS: Final[Mapping[Part, type[CommonHyperparameters]]] = {
    "booster": BoosterHyperparameters,
    "kernel": KernelHyperparameters,
}

BOOSTER_SHARE: Final = "booster_share"
DEFAULT_BOOSTER_SHARE: Final = BlendHyperparameters().booster_share


def default_hyperparameters(part: Part) -> dict[str, float | int]:
    """Today's values of what is searched for a part."""
    defaults = HYPERPARAMETERS[part]()
    return {each.name: getattr(defaults, each.name) for each in SPACES[part]}


def part_recipe(part: Part, chosen: Mapping[str, float | int]) -> Recipe:
    """How a part is fitted with these hyperparameters, the others having their defaults."""
    values: dict[str, Any] = dict(chosen)
    if part == "kernel":
        return kernel_recipe(KernelHyperparameters(**values))
    return recipe_of("xgboost", values)
