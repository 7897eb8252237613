"""The parts of a model: what they train with today, and how one is fitted by itself."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.hyperparameters import BoosterHyperparameters, KernelHyperparameters
from abalone_assets.modeling.training.learners import kernel_learner, learner_of
from abalone_assets.search.spaces import SPACES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.modeling.hyperparameters import CommonHyperparameters
    from abalone_assets.modeling.training.learners import Learner
    from abalone_assets.search.spaces import Part

BOOSTER_SHARE: Final = "booster_share"


def searched_of(today: CommonHyperparameters, part: Part) -> dict[str, float | int]:
    """Today's values of what is searched for a part."""
    return {each.name: getattr(today, each.name) for each in SPACES[part]}


def part_learner(
    part: Part, chosen: Mapping[str, float | int], today: CommonHyperparameters
) -> Learner:
    """How a part is fitted with these hyperparameters, the others being as they are today."""
    kind = KernelHyperparameters if part == "kernel" else BoosterHyperparameters
    values: dict[str, Any] = {each.name: getattr(today, each.name) for each in fields(kind)}
    settled = kind(**{**values, **chosen})
    if isinstance(settled, KernelHyperparameters):
        return kernel_learner(settled)
    return learner_of("xgboost", settled)
