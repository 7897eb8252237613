"""The nine columns of a survey: names, types, units and plausible ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SEXES: Final = ("M", "F", "I")
MAX_RINGS: Final = 60
MEASUREMENT_DECIMALS: Final = 4
"""The instruments read to 0.0005, so four decimals keep every reading and drop float noise."""

AGE_OFFSET_YEARS: Final = 1.5

SCALE: Final = 200
"""Millimetres, or grams, in one unit of a survey: UCI divided its measurements by it."""

_LENGTH_UNIT: Final = f"mm / {SCALE}"
_WEIGHT_UNIT: Final = f"g / {SCALE}"


@dataclass(frozen=True)
class Column:
    """One column of a survey.

    Attributes:
        name: Its name in every table.
        dtype: The type of its values.
        unit: Unit of its numbers; empty for the sex.
        description: What was observed.
        maximum: The largest plausible value, in ``unit``; None when the values are a fixed set.
        minimum: The smallest plausible one, for a soft rule; None where a hard one says it.
    """

    name: str
    dtype: Literal["string", "float64", "int64"]
    unit: str
    description: str
    maximum: float | None = None
    minimum: float | None = None


# The maxima are about twice the largest animal of the UCI file, so that they catch a wrong unit or
# a slipped decimal point but no living abalone. Height has that of length: the UCI file holds
# heights of 0.515 and 1.13, which are odd (a soft rule counts them) yet part of the base survey.
# The minima are about half its smallest animal. They are soft: a smaller one may live, and whether
# a whole file is too small is told by how its measurements go together.
COLUMNS: Final[tuple[Column, ...]] = (
    Column("sex", "string", "", "M male, F female, I infant (too young to tell)"),
    Column("length", "float64", _LENGTH_UNIT, "Longest shell measurement", 1.5, 0.04),
    Column("diameter", "float64", _LENGTH_UNIT, "Shell width, perpendicular to length", 1.5, 0.03),
    Column("height", "float64", _LENGTH_UNIT, "Height with the meat in the shell", 1.5, 0.005),
    Column("whole_weight", "float64", _WEIGHT_UNIT, "Weight of the whole animal", 6.0, 0.001),
    Column("shucked_weight", "float64", _WEIGHT_UNIT, "Weight of the meat", 3.0, 0.0005),
    Column("viscera_weight", "float64", _WEIGHT_UNIT, "Gut weight after bleeding", 1.5, 0.0003),
    Column("shell_weight", "float64", _WEIGHT_UNIT, "Weight of the dried shell", 2.0, 0.0008),
    Column("rings", "int64", "count", "Growth rings; age in years is rings + 1.5", MAX_RINGS),
)

MEASUREMENTS: Final[tuple[str, ...]] = tuple(
    column.name for column in COLUMNS if column.dtype == "float64"
)
FEATURES: Final[tuple[str, ...]] = ("sex", *MEASUREMENTS)
TARGET: Final = "rings"


def age_years(rings: float) -> float:
    """The age in years of an animal with this many rings (Nash et al., 1994)."""
    return rings + AGE_OFFSET_YEARS
