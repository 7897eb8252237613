"""Animals of a file beside what is expected of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.ingest.plausibility.relations import RELATIONS, location
from abalone_assets.survey import TARGET

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.ingest.plausibility.relations import Floats, Relation

MIN_AGED_ANIMALS: Final = 10
"""Distinct animals from which on rings are judged: they scatter more than measurements do."""

ODD_DEVIATIONS: Final = 6.0
"""Standard deviations from which on a single animal is odd."""

MIN_ODD_ANIMALS: Final = 5
MAX_ODD_SHARE: Final = 0.25
"""Of a file's animals; of the UCI survey's 1 % are odd, of its smallest tenth 3 %."""

USUAL_DEVIATIONS: Final = 3.0
"""Standard deviations within which an animal is usual."""

_MEASURED: Final = np.array([each.target != TARGET for each in RELATIONS])
_SLACK: Final = np.array([each.slack for each in RELATIONS])
_DEVIATIONS: Final = np.array([each.deviations for each in RELATIONS])


@dataclass(frozen=True)
class Comparison:
    """Animals beside what is expected of them.

    Attributes:
        off: For each of ``RELATIONS`` what the animals are off by, (relations, n), in units of the
            logarithm.
        deviations: What one animal is off by as a rule, (relations, 1).
    """

    off: Floats
    deviations: Floats

    @cached_property
    def odd(self) -> NDArray[np.bool_]:
        """Which animals, (n,), are odd, rings aside: some get very old."""
        far = np.abs(self.off) > ODD_DEVIATIONS * self.deviations
        odd: NDArray[np.bool_] = far[_MEASURED].any(axis=0)
        return odd

    @property
    def usual(self) -> NDArray[np.bool_]:
        """Which animals, (n,), are as most are, rings aside."""
        near = np.abs(self.off) <= USUAL_DEVIATIONS * self.deviations
        usual: NDArray[np.bool_] = near[_MEASURED].all(axis=0)
        return usual

    @property
    def many_odd(self) -> bool:
        """Whether a part of the file, too large for chance, is odd."""
        return bool(self.odd.sum() >= max(MIN_ODD_ANIMALS, MAX_ODD_SHARE * self.odd.size))

    @property
    def excess(self) -> float:
        """How many times the tolerated distance the worst relation is off."""
        return float(self._excesses.max())

    @property
    def is_off(self) -> bool:
        """Whether the file is off as a whole."""
        return self.excess > 1 or self.many_odd

    @property
    def worst(self) -> tuple[Relation, float]:
        """The relation that is off most, and how far."""
        place = int(self._excesses.argmax())
        return RELATIONS[place], float(self._shifts[place])

    @cached_property
    def _shifts(self) -> Floats:
        return location(self.off, self.deviations)

    @cached_property
    def _excesses(self) -> Floats:
        animals = self.odd.size
        errors = _DEVIATIONS * self.deviations[:, 0] / np.sqrt(animals)
        judged = _MEASURED | (animals >= MIN_AGED_ANIMALS)
        excesses: Floats = judged * np.abs(self._shifts) / (_SLACK + errors)
        return excesses
