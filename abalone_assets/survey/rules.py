"""The hard rules: what one field, and one row, must be. Ingestion and serving both judge by them.

Blanks (spaces, tabs) around a field are ignored. Sex is one of ``M``, ``F``, ``I``; in lower case
it means the same, and the parser counts how often it was read so. Numbers are decimal numbers in
ASCII digits, with an exponent if need be (``1e-1``); Python's other spellings (``1_0``, ``0x1``,
digits of other scripts) are refused. Rings may be written ``9.0``.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, cast

from abalone_assets.errors import SurveyError
from abalone_assets.survey.columns import (
    COLUMNS,
    FEATURES,
    MAX_RINGS,
    MEASUREMENT_DECIMALS,
    SCALE,
    SEXES,
    Column,
)
from abalone_assets.survey.units import (
    CONTRACT_UNITS,
    MM_G,
    Units,
    as_size,
    mistaken_units,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abalone_assets.survey.units import Unit

_BLANKS: Final = " \t"
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_SHOWN_CHARACTERS: Final = 40
_SHORT: Final = 16  # characters of a text that is remembered
_DISTINCT_READINGS: Final = 2**13  # the scales' 0.0005 grid has fewer steps than this
_LENGTH: Final = FEATURES.index("length")
_DIAMETER: Final = FEATURES.index("diameter")
_WHOLE: Final = FEATURES.index("whole_weight")
_SIZE_RULES: Final = frozenset({"above_maximum", "not_positive"})
_ROUND: Final = (0.4, 2.5)
"""Diameter / length; UCI's animals have 0.6 to 1.0, and one, of a slip, 2.03."""
_CM_KG: Final = Units.named("cm-kg")
_LONGEST: Final = COLUMNS[1].maximum or 0.0
_SEX_OF: Final = {**{sex: sex for sex in SEXES}, **{sex.lower(): sex for sex in SEXES}}


class SurveyRowError(SurveyError):
    """A row breaks a hard rule.

    Attributes:
        column: The first column at fault; None when the row as a whole is.
        rule: The broken rule: ``field_count``, ``quoting``, ``sex``, ``not_a_number``,
            ``not_finite``, ``not_positive``, ``above_maximum``, ``not_an_integer``,
            ``out_of_range`` or ``units``: said to be in other units than the animal clearly is in.
        message: What was found and what is allowed.
        looks_like: The units that the animal clearly is in, if these are others than it was said
            to be in.
    """

    def __init__(
        self, column: str | None, rule: str, message: str, looks_like: Units | None = None
    ) -> None:
        super().__init__(message)
        self.column = column
        self.rule = rule
        self.message = message
        self.looks_like = looks_like


def validate_measurements(
    values: Sequence[str | float], units: Units = CONTRACT_UNITS
) -> tuple[str, float, float, float, float, float, float, float]:
    """The canonical sex and seven measurements of one animal, in the order of ``FEATURES``.

    Args:
        values: Eight values, as text or as numbers.
        units: Of the measurements; believed, unless the animal clearly is in the survey's own.

    Raises:
        SurveyRowError: A value breaks a rule, or there are not eight of them. It is told when the
            animal clearly is in other units.
    """
    if isinstance(values, str) or len(values) != len(FEATURES):
        found = "one text" if isinstance(values, str) else f"{len(values)} values"
        raise SurveyRowError(
            None, "field_count", f"found {found}; expected {len(FEATURES)}: {', '.join(FEATURES)}"
        )
    try:
        if not units.is_contract:
            canonical = tuple(
                read(value) for read, value in zip(readers_in(units), values, strict=True)
            )
            check_units(float(canonical[_LENGTH]), float(canonical[_WHOLE]), units)
        else:
            canonical = tuple(
                # What instruments show recurs: looked up, it costs a tenth of being read.
                known(value) if type(value) is str and len(value) <= _SHORT else read(value)
                for known, read, value in zip(_KNOWN_READERS, FIELD_READERS, values, strict=False)
            )
    except SurveyRowError as error:
        raise in_other_units(error, values, units) from None
    return cast("tuple[str, float, float, float, float, float, float, float]", canonical)


def in_other_units(
    error: SurveyRowError, values: Sequence[str | float], told: Units
) -> SurveyRowError:
    """The error, with what the animal looks like when a value of it is too large or too small.

    Only mm and g, and the survey's own, are told of. No slipped decimal point makes an animal look
    like that: its other measurements stay as they are.

    Args:
        error: The rule that the animal breaks.
        values: Its fields, in the order of ``FEATURES``.
        told: The units that they are said to be in.
    """
    length, diameter, weight = (as_size(values[at]) for at in (_LENGTH, _DIAMETER, _WHOLE))
    if error.rule not in _SIZE_RULES or length is None or diameter is None or weight is None:
        return error
    found = mistaken_units(length, weight, told)
    if found is None or not _ROUND[0] < diameter / length < _ROUND[1]:
        return error
    words = found.words
    if found == MM_G and _CM_KG.length.to_contract(length) <= _LONGEST:
        words += f", or {_CM_KG.words} of a larger animal"  # which is as dense
    message = f"{error.message}; these numbers look like {words}"
    return SurveyRowError(error.column, error.rule, message, found)


def check_units(length: float, weight: float, told: Units) -> None:
    """Refuse an animal that obeys every other rule, but clearly is in other units than told.

    Args:
        length: Its canonical length.
        weight: Its canonical whole weight.
        told: The units that they were converted from.

    Raises:
        SurveyRowError: By the rule ``units``.
    """
    written = (length / told.length.to_contract(1.0), weight / told.weight.to_contract(1.0))
    found = mistaken_units(*written, told)
    if found is not None:
        message = f"its measurements are said to be {told.words}, but look like {found.words}"
        raise SurveyRowError(None, "units", message, found)


def _broken(column: str, rule: str, value: object, allowed: str) -> SurveyRowError:
    """What is wrong with a value, which is quoted, and shortened when it is long."""
    text = "empty" if isinstance(value, str) and not value.strip(_BLANKS) else repr(value)
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return SurveyRowError(column, rule, f"{column} is {shown}; {allowed}")


def _sex(value: object) -> str:
    sex = _SEX_OF.get(value.strip(_BLANKS)) if isinstance(value, str) else None
    if sex is None:
        raise _broken("sex", "sex", value, f"it must be one of {', '.join(SEXES)}")
    return sex


def _measurement(column: Column, maximum: float, unit: Unit | None, value: object) -> float:
    number = _number(column.name, value)
    if unit is not None:
        number = unit.to_contract(number)
    number = round(number, MEASUREMENT_DECIMALS)
    if number <= 0:
        allowed = f"it must be above 0 when rounded to {MEASUREMENT_DECIMALS} decimals"
        raise _broken(column.name, "not_positive", value, allowed)
    if number > maximum:
        largest = maximum if unit is None else maximum / unit.to_contract(1.0)
        name = column.unit if unit is None else unit.symbol
        allowed = f"the plausible maximum is {largest:g} (unit: {name})"
        raise _broken(column.name, "above_maximum", value, allowed)
    return number


def _rings(value: object) -> int:
    number = _number("rings", value, "a whole number")
    if not number.is_integer():
        raise _broken("rings", "not_an_integer", value, "it must be a whole number")
    if not 1 <= number <= MAX_RINGS:
        raise _broken("rings", "out_of_range", value, f"it must be 1 to {MAX_RINGS}")
    return int(number)


def _number(name: str, value: object, wanted: str = "a decimal number") -> float:
    """The finite number that a text, an int or a float stands for."""
    text = value.strip(_BLANKS) if isinstance(value, str) else ""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = float(value)
        elif _DECIMAL.fullmatch(text):
            number = float(text)
        elif _NOT_FINITE.fullmatch(text):
            number = math.nan
        else:
            raise _broken(name, "not_a_number", value, f"it must be {wanted}")
    except OverflowError:  # an int beyond the range of a float
        number = math.inf
    if not math.isfinite(number):
        raise _broken(name, "not_finite", value, "it must be a finite number")
    return number


def field_reader(column: Column, unit: Unit | None = None) -> Callable[[object], str | float]:
    """The function from a field of a column to its canonical value.

    Args:
        column: The column.
        unit: Of the field's numbers, when it is another than the column's own.

    Returns:
        A function that raises SurveyRowError when the field breaks a rule.
    """
    if column.dtype == "string":
        return _sex
    if column.dtype == "int64" or column.maximum is None:
        return _rings
    return partial(_measurement, column, column.maximum, unit)


FIELD_READERS: Final = tuple(map(field_reader, COLUMNS))
"""For each column, the function from a field to its canonical value; SurveyRowError if it fails."""


@lru_cache(maxsize=64)
def readers_in(units: Units) -> tuple[Callable[[object], str | float], ...]:
    """For each of ``FEATURES``, the function from a field in these units to its canonical value."""
    told = units.by_column()
    return tuple(
        field_reader(column, None if unit is None or unit.size == SCALE else unit)
        for column in COLUMNS[: len(FEATURES)]
        for unit in [told[column.name]]
    )


_KNOWN_READERS: Final = tuple(
    lru_cache(maxsize=_DISTINCT_READINGS)(read) for read in FIELD_READERS[: len(FEATURES)]
)
"""The readers of ``FEATURES``, for short texts: they remember what they made of valid ones."""
