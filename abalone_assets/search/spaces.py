"""What is searched: for each part of a model its hyperparameters, with their bounds and scales.

A part can be fitted by itself, with what is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal

from abalone_assets.modeling.hyperparameters import (
    BoosterHyperparameters,
    KernelHyperparameters,
    SearchedFramework,
)
from abalone_assets.modeling.training.learners import kernel_learner, learner_of

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from abalone_assets.modeling.hyperparameters import CommonHyperparameters
    from abalone_assets.modeling.training.learners import Learner

Part = Literal["booster", "kernel"]

SIGNIFICANT_DIGITS: Final = 3
"""Of what is tried: more would not be felt, and what is recommended should be readable."""


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter's range.

    Attributes:
        name: As in `modeling.hyperparameters`.
        low: Least value; integers make a range of integers.
        high: Largest value.
        log: Whether ratios, rather than differences, count.
        step: Distance of the integers tried.
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: int = 1

    @property
    def is_integer(self) -> bool:
        """Whether its values are integers."""
        return isinstance(self.low, int)

    def distribution(self) -> BaseDistribution:
        """As Optuna has it."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.is_integer:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=self.step)
        return FloatDistribution(self.low, self.high, log=self.log)

    def holds(self, value: float) -> bool:
        """Whether a value is one that may be tried."""
        inside = self.low <= value <= self.high
        return inside and not (self.is_integer and (value - self.low) % self.step)

    def rounded(self, value: float) -> float | int:
        """A value as it is tried."""
        return int(value) if self.is_integer else float(f"{value:.{SIGNIFICANT_DIGITS}g}")


SPACES: Final[Mapping[Part, tuple[Dimension, ...]]] = {
    "booster": (
        Dimension("eta", 0.01, 0.3, log=True),
        Dimension("max_depth", 2, 6),
        Dimension("subsample", 0.4, 1.0),
        Dimension("colsample_bytree", 0.3, 1.0),
        Dimension("min_child_weight", 1.0, 100.0, log=True),
        Dimension("reg_lambda", 0.1, 100.0, log=True),
        Dimension("num_boost_round", 50, 800, step=10),
    ),
    # More landmarks than the default's 700 gain next to nothing and cost time; fewer only lose.
    "kernel": (
        Dimension("length_scale", 2.0, 40.0, log=True),
        Dimension("noise", 0.03, 5.0, log=True),
    ),
}
"""Every space holds the defaults. Each part's first trial is what releases train with today."""

PARTS: Final[Mapping[SearchedFramework, tuple[Part, ...]]] = {
    "xgboost": ("booster",),
    "blend": ("booster", "kernel"),
}
"""What a framework's model is made of. Each part is tuned by itself, as if it stood alone."""


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
