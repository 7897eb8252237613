"""A comparison of two versions in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.paired import Comparison

_SEXES: Final = {"M": "males", "F": "females", "I": "infants"}


@dataclass(frozen=True)
class Verdict:
    """What a comparison comes to.

    Attributes:
        kind: How it looks: ``good`` when the newer version is better, ``bad`` when it is worse,
            empty when nobody can tell.
        text: It in a sentence.
    """

    kind: str
    text: str


def verdict(compared: Comparison, newer: int) -> Verdict:
    """Whether the newer version is better, by the interval of the difference."""
    within = f"90 % interval {compared['low']:+.3f} to {compared['high']:+.3f}"
    by = f"by {abs(compared['difference']):.3f} rings of RMSE ({within})"
    if compared["high"] < 0:
        return Verdict("good", f"Version {newer} is better, {by}.")
    if compared["low"] > 0:
        return Verdict("bad", f"Version {newer} is worse, {by}.")
    return Verdict("", f"These rows do not tell which of the two is better ({within}).")


def named(value: str) -> str:
    """A group of rows as people call it."""
    return _SEXES.get(value, value)
