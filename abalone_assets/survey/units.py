"""Units that surveys come in: spellings, sizes, and which units numbers look like.

Everything that knows of units asks here. Of a whole survey :func:`guess_units` says what its
numbers look like; of one animal :func:`mistaken_units` says whether it is in the other one of the
two pairs that people mistake for each other: mm and g, and the survey's mm / 200 and g / 200.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import TYPE_CHECKING, Final, Literal

from abalone_assets.errors import SurveyError
from abalone_assets.survey.columns import COLUMNS, MEASUREMENTS, SCALE

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["length", "weight"]


def kind_of(column: str | None) -> Kind | None:
    """What the column's numbers measure, if they are measurements."""
    if column not in MEASUREMENTS:
        return None
    return "weight" if str(column).endswith("weight") else "length"


@dataclass(frozen=True)
class Unit:
    """A unit of length or weight.

    Attributes:
        name: As the options of commands name it; ``scaled`` is the contract's own.
        kind: What it measures.
        size: Millimetres or grams in one of it.
        plural: In words.
        spellings: Its other names in a header: lower case, without blanks and signs.
        imperial: Whether crews that use it use no metric one beside it.
    """

    name: str
    kind: Kind
    size: float
    plural: str
    spellings: tuple[str, ...] = ()
    imperial: bool = False

    @property
    def symbol(self) -> str:
        """Its name in messages."""
        base = "mm" if self.kind == "length" else "g"
        return f"{base} / {SCALE}" if self.name == "scaled" else self.name

    def to_contract(self, number: float) -> float:
        """A number of this unit, in the contract's unit."""
        return number if self.size == SCALE else number * self.size / SCALE


def _unit(
    name: str, kind: Kind, size: float, plural: str, *words: str, imperial: bool = False
) -> Unit:
    return Unit(name, kind, size, plural, (name, plural, *words), imperial)


LENGTH_UNITS: Final = (
    Unit("scaled", "length", SCALE, "millimetres / 200", ("mm200", "200mm", "scaled")),
    _unit("mm", "length", 1.0, "millimetres", "millimetre", "millimeter", "millimeters"),
    _unit("cm", "length", 10.0, "centimetres", "centimetre", "centimeter", "centimeters"),
    _unit("m", "length", 1000.0, "metres", "metre", "meter", "meters"),
    _unit("in", "length", 25.4, "inches", "inch", imperial=True),
)
WEIGHT_UNITS: Final = (
    Unit("scaled", "weight", SCALE, "grams / 200", ("g200", "200g", "scaled")),
    _unit("g", "weight", 1.0, "grams", "gram", "gramme", "grammes", "gm", "gr"),
    _unit("kg", "weight", 1000.0, "kilograms", "kilogram", "kilogramme", "kilogrammes", "kilos"),
    _unit("mg", "weight", 0.001, "milligrams", "milligram", "milligramme", "milligrammes"),
    _unit("oz", "weight", 28.349523125, "ounces", "ounce", imperial=True),
    _unit("lb", "weight", 453.59237, "pounds", "pound", "lbs", imperial=True),
)
_SPELLINGS: Final = {
    (unit.kind, spelling): unit
    for unit in (*LENGTH_UNITS, *WEIGHT_UNITS)
    for spelling in unit.spellings
}


def unit_spelled(kind: Kind, text: str) -> Unit | None:
    """The unit of this spelling, which is in lower case and without blanks and signs."""
    return _SPELLINGS.get((kind, text))


@dataclass(frozen=True)
class Units:
    """The units of a survey's lengths and weights."""

    length: Unit
    weight: Unit

    @property
    def name(self) -> str:
        """As ``--units`` takes it, such as ``mm-g``."""
        return f"{self.length.name}-{self.weight.name}"

    @property
    def words(self) -> str:
        """Such as ``millimetres and grams``."""
        return f"{self.length.plural} and {self.weight.plural}"

    @property
    def is_contract(self) -> bool:
        """Whether numbers in them need no conversion."""
        return self.length.size == self.weight.size == SCALE

    def by_column(self) -> dict[str, Unit | None]:
        """The unit of each of the nine columns; None of sex and rings."""
        units: dict[Kind | None, Unit | None]
        units = {"length": self.length, "weight": self.weight, None: None}
        return {column.name: units[kind_of(column.name)] for column in COLUMNS}

    @classmethod
    def named(cls, name: str) -> Units:
        """The units of a name such as ``mm-g``; ``survey`` is the contract's own.

        Raises:
            SurveyError: There are none of this name.
        """
        if name == SURVEY:
            return CONTRACT_UNITS
        lengths = {unit.name: unit for unit in LENGTH_UNITS}
        weights = {unit.name: unit for unit in WEIGHT_UNITS}
        length, dash, weight = name.partition("-")
        if not dash or length not in lengths or weight not in weights:
            raise SurveyError(
                f"units {name!r}: say one of {', '.join(lengths)}, a hyphen, and one of "
                f"{', '.join(weights)}, such as mm-g; {SURVEY} is for the survey's own mm / "
                f"{SCALE} and g / {SCALE}"
            )
        return cls(lengths[length], weights[weight])


SURVEY: Final = "survey"
"""A short name of the contract's units, beside ``scaled-scaled``."""

CONTRACT_UNITS: Final = Units(LENGTH_UNITS[0], WEIGHT_UNITS[0])
MM_G: Final = Units.named("mm-g")
"""What people measure in."""

PEOPLE_USE: Final = (MM_G, CONTRACT_UNITS)
"""Units that are mistaken for each other."""

# What UCI's animals are, in the contract's units: the median of log(whole_weight / length^3) is
# 1.59 with a standard deviation of 0.15, the same for infants and adults; the median length 0.545.
_LOG_DENSITY: Final = 1.59
_LOG_DENSITY_SPREAD: Final = 0.25  # wider than UCI's, for other seasons and species
_TYPICAL_LENGTH: Final = 0.545
_LOG_LENGTH_SPREAD: Final = 0.6  # a file of nothing but infants has a median of 0.44
_PLAUSIBLE_SCORE: Final = 9.0
_PLAUSIBLE_SIZE_SCORE: Final = 12.0  # a median length of 14 mm and more
_CLEAR_LEAD: Final = 2.0
_SIZES: Final = (1e-6, 1e6)


def as_size(value: object) -> float | None:
    """A number, or the text of one, that may be an animal's length or weight in some unit."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) else 0.0
    except (ValueError, OverflowError):
        return None
    return number if _SIZES[0] < number < _SIZES[1] else None


def guess_units(animals: Iterable[tuple[float, float]], told: Units | None = None) -> Units | None:
    """The units that lengths and whole weights look like; None when it is not clear.

    An animal's weight goes with the cube of its length, so of all pairs of units only one or two
    make the animals as dense as abalone are; of those, one makes them of an abalone's size.

    Args:
        animals: The length and the whole weight of each, above 0, in the file's units.
        told: Units that are believed unless the animals can be no abalone in them.
    """
    logs = [(math.log(weight / length**3), math.log(length)) for length, weight in animals]
    if not logs:
        return None
    density, length = (median(each) for each in zip(*logs, strict=True))
    if told is not None:
        unlike, oversized = _scores(told, density, length)
        if unlike < _PLAUSIBLE_SCORE and oversized < _PLAUSIBLE_SIZE_SCORE:
            return told
    ranked = sorted(
        ((sum(_scores(units, density, length)) + _unusual(units), units) for units in _GUESSED),
        key=lambda scored: scored[0],
    )
    (best, units), (second, _) = ranked[:2]
    return units if best < _PLAUSIBLE_SCORE and second - best > _CLEAR_LEAD else None


def mistaken_units(length: float, weight: float, told: Units) -> Units | None:
    """Which of ``PEOPLE_USE`` one animal clearly is in, when it cannot be in the told units.

    The same numbers make an animal 40,000 times as dense in mm and g as in the survey's units. All
    of UCI's animals, the smallest of 15 mm too, are within a factor of 15 of the usual density, so
    that no plausible animal is of both.

    Args:
        length: Its length, above 0, in the units that it really is in.
        weight: Its whole weight, above 0, likewise.
        told: The units that it is said to be in.
    """
    logarithm = math.log(weight / length**3)
    if abs(_density(told, logarithm)) <= _IMPOSSIBLE_DENSITY:
        return None
    for units in PEOPLE_USE:
        if units != told and abs(_density(units, logarithm)) < _PLAUSIBLE_DENSITY:
            return units
    return None


# In units of the logarithm; UCI's animals are at most 2.7 off.
_PLAUSIBLE_DENSITY: Final = 3.0
_IMPOSSIBLE_DENSITY: Final = 4.0


# Nobody weighs abalone in milligrams.
_GUESSED: Final = tuple(
    Units(length, weight)
    for length, weight in product(LENGTH_UNITS, WEIGHT_UNITS)
    if weight.name != "mg"
)


def _scores(units: Units, log_density: float, log_length: float) -> tuple[float, float]:
    """How unlike abalone the animals would be, in density and in size: squared standard scores."""
    density = _density(units, log_density) / _LOG_DENSITY_SPREAD
    longer = math.log(units.length.size / SCALE)
    size = (log_length + longer - math.log(_TYPICAL_LENGTH)) / _LOG_LENGTH_SPREAD
    return density**2, size**2


def _density(units: Units, log_density: float) -> float:
    """How much denser than usual animals in these units are, in units of the logarithm."""
    longer = math.log(units.length.size / SCALE)
    heavier = math.log(units.weight.size / SCALE)
    return log_density + heavier - 3 * longer - _LOG_DENSITY


def _unusual(units: Units) -> float:
    """What counts against a pair of units before any animal was seen: imperial, or a mixture."""
    return (0.0, 3.0, 1.0)[units.length.imperial + units.weight.imperial]
