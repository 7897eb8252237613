"""What is searched: for each part of a model its hyperparameters, with their bounds and scales.

A part can be fitted by itself, with what is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import SearchedFramework, is_tried
from abalone_assets.modeling.training.learners import learner_by
from abalone_assets.search.sample import SearchError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from abalone_assets.modeling.framework import Part as FittedPart
    from abalone_assets.modeling.hyperparameters import CommonHyperparameters
    from abalone_assets.modeling.training.learners import Learner

Part = str
"""Name of a part of a model, such as ``kernel``."""

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


def _parts_of(framework: SearchedFramework) -> Mapping[str, FittedPart]:
    return framework_named(framework).parts


def _space_of(part: FittedPart) -> tuple[Dimension, ...]:
    tried = [each for each in fields(part.hyperparameters) if is_tried(each)]
    return tuple(Dimension(each.name, **asdict(each.metadata["tried"])) for each in tried)


PARTS: Final[Mapping[SearchedFramework, tuple[Part, ...]]] = {
    framework: (*_parts_of(framework),) for framework in get_args(SearchedFramework)
}
"""What a framework's model is made of. Each part is tuned by itself, as if it stood alone."""

_FITTED: Final[Mapping[Part, FittedPart]] = {
    name: part for framework in PARTS for name, part in _parts_of(framework).items()
}

SPACES: Final[Mapping[Part, tuple[Dimension, ...]]] = {
    name: _space_of(part) for name, part in _FITTED.items()
}
"""Every space holds the defaults. Each part's first trial is what releases train with today."""


def searched_framework(framework: str) -> SearchedFramework:
    """A framework, known to be one that can be searched.

    Raises:
        SearchError: It cannot.
    """
    if framework not in PARTS:
        raise SearchError(
            f"releases train {framework}, which is not searched: choose {' or '.join(PARTS)}"
        )
    return cast("SearchedFramework", framework)


def searched_of(today: CommonHyperparameters, part: Part) -> dict[str, float | int]:
    """Today's values of what is searched for a part."""
    return {each.name: getattr(today, each.name) for each in SPACES[part]}


def part_learner(
    part: Part, chosen: Mapping[str, float | int], today: CommonHyperparameters
) -> Learner:
    """How a part is fitted with these hyperparameters, the others being as they are today."""
    alone = _FITTED[part]
    kind = alone.hyperparameters
    values: dict[str, Any] = {each.name: getattr(today, each.name) for each in fields(kind)}
    return learner_by(alone.fit, kind(**{**values, **chosen}))
