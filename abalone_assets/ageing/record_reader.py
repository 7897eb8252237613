"""One record of a file of animals: from its fields to canonical values, as its header tells."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from abalone_assets.survey import COLUMNS, FEATURES, SurveyRowError, validate_measurements
from abalone_assets.survey.records import without_empty_last_fields
from abalone_assets.survey.rules import check_units, field_reader, in_other_units

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abalone_assets.survey.header import Layout

    Values = tuple[Any, ...]
    Read: TypeAlias = Callable[[list[str]], Values]

_LENGTH: Final = FEATURES.index("length")
_WHOLE: Final = FEATURES.index("whole_weight")
_MANY_READINGS: Final = 2**13

_BAD_QUOTES: Final = SurveyRowError(
    None, "quoting", "text follows a closing quote; a comma or the line's end must"
)


def record_reader(layout: Layout | None) -> Read:
    """The function from a record's fields to its canonical values.

    It raises `SurveyRowError` of a record that breaks a rule; no fields are malformed quotes.

    Args:
        layout: What a header tells; None for the contract's own.
    """
    if layout is None:
        return _read_as_contracted
    readers = [
        lru_cache(maxsize=_MANY_READINGS)(field_reader(column, unit))
        for column, unit in zip(COLUMNS, layout.units, strict=False)
    ]
    return partial(_read_laid_out, layout, readers)


def is_contracted(layout: Layout) -> bool:
    """Whether a header tells nothing that differs from the contract."""
    width = len(FEATURES)
    same = layout.positions == tuple(range(width)) and layout.width == width
    return same and not any(layout.units)


def notes_of(layout: Layout) -> tuple[str, ...]:
    """What whoever sent a file should know of how its header was understood, a sentence each."""
    notes = []
    if list(layout.positions) != sorted(layout.positions):
        order = ", ".join(FEATURES[at] for at in np.argsort(layout.positions))
        notes.append(f"read in the order {order}")
    if any(layout.units):
        notes.append(f"converted from {layout.units_named}")
    if layout.ignored:
        notes.append(f"without {', '.join(layout.ignored)}")
    return tuple(notes)


def _read_as_contracted(fields: list[str]) -> Values:
    if not fields:
        raise _BAD_QUOTES
    return validate_measurements(without_empty_last_fields(fields, len(FEATURES)))


def _read_laid_out(
    layout: Layout, readers: Sequence[Callable[[str], str | float]], fields: list[str]
) -> Values:
    if not fields:
        raise _BAD_QUOTES
    fields = without_empty_last_fields(fields, layout.width)
    if len(fields) != layout.width:
        found = f"found {len(fields)} fields; expected {layout.width}, as many as the header names"
        raise SurveyRowError(None, "field_count", found)
    given = [fields[at] for at in layout.positions]
    try:
        values = tuple(read(value) for read, value in zip(readers, given, strict=True))
        if any(layout.units):
            check_units(float(values[_LENGTH]), float(values[_WHOLE]), layout.told_units)
    except SurveyRowError as error:
        raise in_other_units(error, given, layout.told_units) from None
    return values
