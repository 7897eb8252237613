"""Whether a survey file as a whole shows animals like those of the base survey.

A row's own limits cannot see that a crew wrote kilograms: each value is that of a smaller animal.
What gives it away is how measurements go together, over all animals of the file. A profile holds
these relations, fitted robustly on the base survey; a file that is off from one as a whole is held
until a person says that it is right. Rates of false alarms and detection are in
``docs/benchmarks.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from abalone_assets.survey import MEASUREMENTS, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Logs = Mapping[str, Floats]
    Columns = Mapping[str, Sequence[Any]]

MIN_ANIMALS: Final = 3
"""Distinct animals that a file must have to be off in the mean.

One or two odd ones are only counted, unless a unit, undone, makes usual animals of all of them."""

MIN_AGED_ANIMALS: Final = 10
"""Distinct animals from which on rings are judged: they scatter more than measurements do."""

ODD_DEVIATIONS: Final = 6.0
"""Standard deviations from which on a single animal is odd."""

MIN_ODD_ANIMALS: Final = 5
MAX_ODD_SHARE: Final = 0.25
"""Of a file's animals; of the UCI survey's 1 % are odd, of its smallest tenth 3 %."""

MIN_ALIKE_ANIMALS: Final = 3
MIN_ALIKE_SHARE: Final = 0.05
MANY_ALIKE_ANIMALS: Final = 30
MANY_ALIKE_SHARE: Final = 0.01
"""Of a file's animals, the odd ones that would be usual if one error, such as a unit, were undone.

Of the UCI survey's 0.07 % are, each by a slip of its own."""

USUAL_DEVIATIONS: Final = 3.0
"""Standard deviations within which an animal is usual."""

MAX_UNRELATED_SLOPE: Final = 0.4
"""Rings whose slope on what is expected is below it, by 4 standard errors, are unrelated to size.

It is 1, and with these errors above 0.5 in any narrow range of UCI's sizes."""

MIN_RECORDS: Final = 10
MAX_BEYOND_SHARE: Final = 0.5
"""Of a file's records, those that broke a rule of ``SCALE_RULES``, from some records on."""

SCALE_RULES: Final = frozenset(
    {"above_maximum", "not_positive", "not_an_integer", "out_of_range", "units"}
)
"""The rules of the contract that values in another unit break."""

LENGTHS: Final = ("length", "diameter", "height")
WEIGHTS: Final = ("whole_weight", "shucked_weight", "viscera_weight", "shell_weight")

_INFANT: Final = "infant"
_MAX_EXPLAINED: Final = 5000  # animals: more tell nothing more of what a held file looks like
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
    deviations: float = 4.0


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
_MEASURED: Final = np.array([each.target != TARGET for each in RELATIONS])
_SLACK: Final = np.array([each.slack for each in RELATIONS])
_DEVIATIONS: Final = np.array([each.deviations for each in RELATIONS])


@dataclass(frozen=True)
class Fit:
    """A relation as fitted.

    Attributes:
        coefficients: The constant, then one for each term.
        deviation: Robust standard deviation of single animals, in units of the logarithm.
    """

    coefficients: tuple[float, ...]
    deviation: float


@dataclass(frozen=True)
class Verdict:
    """What a profile says of a file.

    Attributes:
        held: Why the whole file is held, and what it looks like; None when it is plausible.
        odd_animals: Rows of animals whose measurements do not go together, whatever the file.
    """

    held: str | None
    odd_animals: int


@dataclass(frozen=True)
class Profile:
    """How measurements go together: a fit for each of ``RELATIONS``."""

    fits: tuple[Fit, ...]

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """Fit the relations on canonical rows, given column by column."""
        logs = _logs_of(columns)
        return cls(tuple(_fit(each, logs) for each in RELATIONS))

    def judge(self, columns: Columns, beyond: int = 0) -> Verdict:
        """Whether the rows of one file are off as a whole.

        Args:
            columns: Its canonical rows, column by column; only distinct ones count as animals.
            beyond: How many more of its records broke one of ``SCALE_RULES``.
        """
        rows, logs = len(columns[TARGET]), _logs_of(columns)
        animals = _distinct(logs)
        compared = self._comparison(animals)
        held, explained = self._off(animals, compared)
        if not explained:  # a part may be what shifts the mean
            held = self._alike(animals, compared) or held or self._unrelated(animals)
        repeats = len(animals[TARGET]) < rows
        odd = self._comparison(logs).odd if repeats else compared.odd
        return Verdict(held or _beyond(beyond, rows + beyond), int(odd.sum()))

    def _off(self, logs: Logs, compared: _Comparison) -> tuple[str | None, bool]:
        """Why the file of these distinct animals is held, and whether one error explains it."""
        if len(logs[TARGET]) < MIN_ANIMALS or not compared.is_off:
            return None, False
        step = -(-len(logs[TARGET]) // _MAX_EXPLAINED)
        logs = {name: log[::step] for name, log in logs.items()}
        compared = self._comparison(logs)
        relation, shift = compared.worst
        found = f"{relation.target} is {np.exp(shift):.2f} times that of {relation.against}"
        most_odd = max(compared.odd.sum() // 2, MIN_ODD_ANIMALS - 1)
        for errors in (_KNOWN_ERRORS, _scalings(shift)):
            mended = [(self._comparison(undone(logs)), words) for words, undone in errors]
            likely = [
                (each.excess, words)
                for each, words in mended
                if not each.is_off and each.odd.sum() <= most_odd
            ]
            if likely:
                return f"{found}, {min(likely)[1]}", True
        if not compared.many_odd:
            return found, False
        return (
            f"the measurements of {compared.odd.sum()} of {compared.odd.size} animals do not go "
            "together, as if part of the file were in another unit or column"
        ), False

    def _alike(self, logs: Logs, compared: _Comparison) -> str | None:
        """Why a part of these distinct animals, or all of one or two, is off in the same way."""
        odd = compared.odd
        animals = odd.size
        # Of few animals a quarter, and of one or two all of them.
        least = min(MIN_ODD_ANIMALS, max(MAX_ODD_SHARE * animals, min(MIN_ALIKE_ANIMALS, animals)))
        many = max(MANY_ALIKE_ANIMALS, MANY_ALIKE_SHARE * animals)
        least = max(least, min(MIN_ALIKE_SHARE * animals, many), 1)
        if odd.sum() < least:
            return None
        logs = {name: log[odd] for name, log in logs.items()}
        errors = _KNOWN_ERRORS if animals >= MIN_ANIMALS else _UNIT_ERRORS
        mended = (
            (int(self._comparison(undone(logs)).usual.sum()), words) for words, undone in errors
        )
        most, words = max(mended, key=lambda each: each[0])
        if most < least:
            return None
        return f"the measurements of {most} of {animals} animals do not go together, {words}"

    def _unrelated(self, logs: Logs) -> str | None:
        """Why the rings are not those of these distinct animals."""
        rings, animals = logs[TARGET], len(logs[TARGET])
        if animals < MIN_AGED_ANIMALS:
            return None
        if np.ptp(rings) == 0:
            return f"all {animals} animals have {np.exp(rings[0]):.0f} rings"
        expected = _expected(RELATIONS[-1], self.fits[-1], logs)
        expected -= expected.mean()
        squares = max(float(expected @ expected), _MIN_DEVIATION)
        slope = float(expected @ rings) / squares
        spread = float(np.std(rings - slope * expected, ddof=2))
        error = max(spread, self.fits[-1].deviation) / np.sqrt(squares)
        if slope + _DEVIATIONS[0] * error >= MAX_UNRELATED_SLOPE:
            return None
        return (
            "larger animals do not have more rings, as if the rings were those of other rows, such "
            "as after one column alone was sorted"
        )

    def _comparison(self, logs: Logs) -> _Comparison:
        off = [
            logs[relation.target] - _expected(relation, fit, logs)
            for relation, fit in zip(RELATIONS, self.fits, strict=True)
        ]
        return _Comparison(np.stack(off), np.array([[fit.deviation] for fit in self.fits]))


@dataclass(frozen=True)
class _Comparison:
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
        return _location(self.off, self.deviations)

    @cached_property
    def _excesses(self) -> Floats:
        animals = self.odd.size
        errors = _DEVIATIONS * self.deviations[:, 0] / np.sqrt(animals)
        judged = _MEASURED | (animals >= MIN_AGED_ANIMALS)
        excesses: Floats = judged * np.abs(self._shifts) / (_SLACK + errors)
        return excesses


def _beyond(beyond: int, records: int) -> str | None:
    if beyond == records or beyond <= MAX_BEYOND_SHARE * max(records, MIN_RECORDS):
        return None
    return (
        f"{beyond} of {records} records are quarantined because values are out of range: the file "
        "is in another unit, so the rest of it is not believed either"
    )


def _scaled(columns: Sequence[str], log_factor: float) -> Callable[[Logs], Logs]:
    return lambda logs: {**logs, **{name: logs[name] - log_factor for name in columns}}


def _swapped(one: str, other: str) -> Callable[[Logs], Logs]:
    return lambda logs: {**logs, one: logs[other], other: logs[one]}


def _aged(years: float) -> Callable[[Logs], Logs]:
    return lambda logs: {
        **logs,
        TARGET: np.log(np.maximum(np.exp(logs[TARGET]) - years, 0.5)),
    }


_NUMBERS: Final = (*MEASUREMENTS, TARGET)
_GROUPS: Final = {"lengths": LENGTHS, "weights": WEIGHTS, "all measurements": MEASUREMENTS}
_SCALED_TOGETHER: Final = {**_GROUPS, **{name: (name,) for name in _NUMBERS}}
_UNITS: Final = (
    ("lengths", 0.2, "metres"),
    ("lengths", 20.0, "centimetres"),
    ("lengths", 200 / 25.4, "inches"),
    ("lengths", 1 / 25.4, "inches / 200"),
    ("weights", 0.2, "kilograms"),
    ("weights", 200 / 28.35, "ounces"),
    ("weights", 200 / 453.6, "pounds"),
    ("weights", 2.2046, "pounds, converted from kilograms once too often"),
    ("all measurements", 0.2, "metres and kilograms"),
)
_UNIT_ERRORS: Final = tuple(
    (f"as if {group} were in {unit}", _scaled(_GROUPS[group], float(np.log(factor))))
    for group, factor, unit in _UNITS
)
_KNOWN_ERRORS: Final = (
    *_UNIT_ERRORS,
    *(
        (f"as if the decimal point of {name} had slipped", _scaled(columns, float(log_factor)))
        for name, columns in _SCALED_TOGETHER.items()
        for log_factor in np.log([0.001, 0.01, 0.1, 10, 100, 1000])
    ),
    *(
        (f"as if {one} and {other} stood in each other's columns", _swapped(one, other))
        for one, other in pairwise(_NUMBERS)
    ),
    *(
        # Only a person can tell the two apart: rows of UCI's that follow one another do it, too.
        (
            "as if rings were ages in years, unless animals of this place grow otherwise",
            _aged(years),
        )
        for years in (1.0, 1.5, 2.0)
    ),
)


def _scalings(shift: float) -> Iterator[tuple[str, Callable[[Logs], Logs]]]:
    """A factor over some columns that makes up for a relation's shift."""
    for name, columns in _SCALED_TOGETHER.items():
        for power in (-1, -1 / 2, -1 / 3, 1 / 3, 1 / 2, 1):
            words = f"as if {name} were multiplied by {np.exp(power * shift):.2f}"
            yield words, _scaled(columns, power * shift)


def _logs_of(columns: Columns) -> dict[str, Floats]:
    logs = {name: np.log(np.asarray(columns[name], dtype=np.float64)) for name in _NUMBERS}
    return {**logs, _INFANT: (np.asarray(columns["sex"], dtype=object) == "I").astype(np.float64)}


def _distinct(logs: Logs) -> Logs:
    rows = np.unique(np.stack(list(logs.values())), axis=1)
    return dict(zip(logs, rows, strict=True))


def _expected(relation: Relation, fit: Fit, logs: Logs) -> Floats:
    constant, *slopes = fit.coefficients
    expected: Floats = np.full_like(logs[relation.target], constant)
    for slope, term in zip(slopes, relation.terms(logs), strict=True):
        expected += slope * term
    return expected


def _fit(relation: Relation, logs: Logs) -> Fit:
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
    found[0] += _location(off[None], np.array([[deviation]]))[0]
    return Fit(tuple(map(float, found)), deviation)


def _location(off: Floats, deviations: Floats) -> Floats:
    """Huber's mean of each row of residuals, (k, n), whose deviations are (k, 1)."""
    middle, reach = np.median(off, axis=1, keepdims=True), _HUBER * deviations
    for _ in range(_LOCATION_STEPS):
        middle += np.clip(off - middle, -reach, reach).mean(axis=1, keepdims=True)
    location: Floats = middle[:, 0]
    return location
