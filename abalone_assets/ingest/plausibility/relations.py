"""How the measurements of real animals go together: each follows from others, but for a scatter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.survey import MEASUREMENTS, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Logs = Mapping[str, Floats]
    Columns = Mapping[str, Sequence[Any]]

STANDARD_ERRORS: Final = 4.0
"""A mean that is off by more of them is so not by chance."""

NUMBERS: Final = (*MEASUREMENTS, TARGET)
_INFANT: Final = "infant"
_HUBER: Final = 1.345  # 95 % of the mean's efficiency on normal errors
_MAD_TO_DEVIATION: Final = 1.4826
_MIN_DEVIATION: Final = 0.001  # of rows that repeat each other
_FIT_STEPS: Final = 50
_LOCATION_STEPS: Final = 5


@dataclass(frozen=True)
class Relation:
    """How the logarithm of one column follows from others.

    Attributes:
        target: The column that is judged.
        terms: The terms of the regression beside its constant: of (n,) log columns, k of (n,).
        against: What the target is compared with, in words.
        slack: What real surveys may be off, in units of the logarithm: other crews, scales and
            mixes of sexes and sizes.
        deviations: Standard errors that a file may be off beyond that.
    """

    target: str
    terms: Callable[[Logs], Sequence[Floats]]
    against: str
    slack: float = 0.15
    deviations: float = STANDARD_ERRORS


def _by_length(logs: Logs) -> Sequence[Floats]:
    return logs["length"], logs["length"] ** 2


def _by_whole_weight(logs: Logs) -> Sequence[Floats]:
    return logs["whole_weight"], logs["whole_weight"] ** 2


def _by_volume(logs: Logs) -> Sequence[Floats]:
    volume = logs["length"] + logs["diameter"] + logs["height"]
    return volume, volume**2


def _by_size_and_sex(logs: Logs) -> Sequence[Floats]:
    """Meat and shell go their own ways as an animal ages, and infants have fewer rings."""
    weights = (logs[name] for name in ("whole_weight", "shucked_weight", "shell_weight"))
    return *_by_length(logs), *weights, logs[_INFANT]


# Lengths and weights in another unit are off by 0.8 at least, swapped columns by 0.2, ages that
# stand for rings by 0.1: so rings get just the slack that mixes of sexes and sizes need.
RELATIONS: Final = (
    Relation("diameter", _by_length, "animals of this length", slack=0.06),
    Relation("height", _by_length, "animals of this length"),
    Relation("whole_weight", _by_volume, "animals of this length, diameter and height"),
    Relation("shucked_weight", _by_whole_weight, "animals of this whole weight"),
    Relation("viscera_weight", _by_whole_weight, "animals of this whole weight"),
    Relation("shell_weight", _by_whole_weight, "animals of this whole weight"),
    Relation(TARGET, _by_size_and_sex, "animals of this size and sex", slack=0.02, deviations=3.2),
)


@dataclass(frozen=True)
class Fit:
    """A relation as fitted.

    Attributes:
        coefficients: The constant, then one for each term.
        deviation: Robust standard deviation of single animals, in units of the logarithm.
    """

    coefficients: tuple[float, ...]
    deviation: float


def logs_of(columns: Columns) -> dict[str, Floats]:
    """The logarithms of canonical columns, and whether an animal is an infant."""
    logs = {name: np.log(np.asarray(columns[name], dtype=np.float64)) for name in NUMBERS}
    return {**logs, _INFANT: (np.asarray(columns["sex"], dtype=object) == "I").astype(np.float64)}


def expected_of(relation: Relation, fit: Fit, logs: Logs) -> Floats:
    """What the relation's target, (n,), should be for animals with these other columns."""
    constant, *slopes = fit.coefficients
    expected: Floats = np.full_like(logs[relation.target], constant)
    for slope, term in zip(slopes, relation.terms(logs), strict=True):
        expected += slope * term
    return expected


def fitted(relation: Relation, logs: Logs) -> Fit:
    """Huber's regression; its constant puts the fitted rows' location at zero."""
    terms, target = relation.terms(logs), logs[relation.target]
    design, weights = np.stack([np.ones_like(target), *terms], axis=1), np.ones_like(target)
    for _ in range(_FIT_STEPS):
        root = np.sqrt(weights)
        found = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
        off = target - design @ found
        spread = float(np.median(np.abs(off - np.median(off))))
        deviation = max(_MAD_TO_DEVIATION * spread, _MIN_DEVIATION)
        far = np.abs(off) / (_HUBER * deviation)
        weights = 1 / np.maximum(far, 1)
    found[0] += location(off[None], np.array([[deviation]]))[0]
    return Fit(tuple(map(float, found)), deviation)


def location(off: Floats, deviations: Floats) -> Floats:
    """Huber's mean of each row of residuals, (k, n), whose deviations are (k, 1)."""
    middle, reach = np.median(off, axis=1, keepdims=True), _HUBER * deviations
    for _ in range(_LOCATION_STEPS):
        middle += np.clip(off - middle, -reach, reach).mean(axis=1, keepdims=True)
    means: Floats = middle[:, 0]
    return means
