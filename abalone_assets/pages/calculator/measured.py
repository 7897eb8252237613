"""One animal as people write it: read by the survey contract, in the units that they say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from abalone_assets.pages.calculator.problems import UNITS, Problem
from abalone_assets.survey import COLUMNS, FEATURES, SurveyRowError
from abalone_assets.survey.rules import readers_in
from abalone_assets.survey.units import PEOPLE_USE, as_size, guess_units, mistaken_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.survey.units import Units

Field = str | float | None
_COLUMNS: Final = COLUMNS[: len(FEATURES)]
_DECIMAL_COMMA: Final = re.compile(r"\s*[+-]?[0-9]*,[0-9]+\s*")
_THOUSANDS: Final = re.compile(r"\s*[+-]?[1-9][0-9]{0,2},[0-9]{3}\s*")
_UNLIKE: Final = Problem(
    "whole_weight",
    "unlike",
    "length and weight hardly go together in an abalone: check both, and the units",
)


@dataclass(frozen=True)
class Animal:
    """An animal that obeys the hard rules.

    Attributes:
        values: Its sex and seven measurements, canonical, in the survey's units.
        odd: What is odd about it already.
    """

    values: tuple[str | float, ...]
    odd: tuple[Problem, ...] = ()

    @property
    def line(self) -> str:
        """As an endpoint takes it."""
        return ",".join(map(str, self.values)) + "\n"


def read_animal(fields: Mapping[str, Field], units: Units) -> Animal | list[Problem]:
    """The animal of some fields, or what is wrong with them: one problem for a column at most.

    A number may have a decimal comma. Numbers that clearly are of other units are refused.

    Args:
        fields: By survey column; None, blanks or nothing where nothing was given.
        units: Of the measurements.
    """
    values: list[str | float] = []
    problems: list[Problem] = []
    for column, read in zip(_COLUMNS, readers_in(units), strict=True):
        given = fields.get(column.name)
        if given is None or (isinstance(given, str) and not given.strip()):
            problems.append(Problem(column.name, "missing", f"{column.name} is missing"))
            continue
        try:
            values.append(read(with_point(column.name, given)))
        except SurveyRowError as error:
            problems.append(Problem(column.name, error.rule, error.message))
    odd = _units_problem(fields, units)
    if odd is not None and odd.rule == UNITS:
        # What is too large in these units only is no problem of its own.
        return [odd, *(each for each in problems if each.rule != "above_maximum")]
    return problems or Animal(tuple(values), () if odd is None else (odd,))


def with_point(column: str, given: str | float) -> str | float:
    """A field with a decimal point in place of a decimal comma.

    Raises:
        SurveyRowError: The comma may as well separate thousands.
    """
    if not isinstance(given, str) or not _DECIMAL_COMMA.fullmatch(given):
        return given
    if _THOUSANDS.fullmatch(given):
        message = f"{column} is {given!r}; the comma may separate thousands: write a decimal point"
        raise SurveyRowError(column, "not_a_number", message)
    return given.replace(",", ".")


def _units_problem(fields: Mapping[str, Field], units: Units) -> Problem | None:
    """What is odd about an animal's length and whole weight in these units, if both are there."""
    length, weight = (
        as_size(str(fields.get(name)).replace(",", ".")) for name in ("length", "whole_weight")
    )
    if length is None or weight is None:
        return None
    found = guess_units([(length, weight)], units)
    if found == units:
        return None
    if found not in PEOPLE_USE:  # as it does of a small animal
        found = mistaken_units(length, weight, units)
    if found is not None and units in PEOPLE_USE:
        return Problem(UNITS, UNITS, look_like(found))
    return _UNLIKE


def look_like(units: Units) -> str:
    """What to do about numbers that are clearly of these units."""
    return f"these numbers look like {units.words}: say so, or correct them"
