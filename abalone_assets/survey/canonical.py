"""Write a survey as the contract has it: what ``abalone land`` puts into the landing zone."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from abalone_assets.survey.columns import COLUMNS
from abalone_assets.survey.header import is_header
from abalone_assets.survey.opened import open_survey
from abalone_assets.survey.records import without_empty_last_fields
from abalone_assets.survey.rules import FIELD_READERS, SurveyRowError, check_units

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abalone_assets.survey.dialect import Reading
    from abalone_assets.survey.header import Layout
    from abalone_assets.survey.units import Unit

_NAMES: Final = tuple(column.name for column in COLUMNS)
_LENGTH: Final = _NAMES.index("length")
_WHOLE: Final = _NAMES.index("whole_weight")
_BLANKS: Final = " \t"
_BYTE_ORDER_MARK: Final = "\ufeff"


def canonical_survey(data: bytes, file: str, *, reading: Reading | None = None) -> bytes:
    """The survey without header, in the contract's columns and units, one record a line.

    A bad record stays a bad record, for ingestion to quarantine: its good fields are canonical, its
    bad ones as they were, converted if they are numbers. One with another number of fields, one in
    other units than the file, and a header further down, become a single field, their whole text.
    A last line without its ending has none again, so that ingestion tells of it, too.

    Args:
        data: Content that :func:`parse_survey` reads with the same ``reading``.
        file: Its name, for messages.
        reading: What is known of how to read it.

    Raises:
        UnreadableSurveyError: As :func:`parse_survey`, for what is wrong with text or header.
    """
    opened = open_survey(data, file, reading=reading)
    layout, readers = opened.layout, opened.readers()
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    whole = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for _, found, raw in opened.records:
        fields = without_empty_last_fields(found, layout.width)
        if len(fields) != layout.width:
            whole.writerow(fields if len(fields) == 1 else [raw.strip()])
            continue
        canonical = [
            _canonical(fields[at], read, unit, number)
            for number, (at, read, unit) in enumerate(
                zip(layout.positions, readers, layout.units, strict=True)
            )
        ]
        bad = any(isinstance(value, str) for value in canonical[1:])
        marked = str(canonical[0]).startswith(_BYTE_ORDER_MARK)
        headed = bad and is_header(list(map(str, canonical)))  # as the first line it would mean it
        if marked or headed or (not bad and _is_of_other_units(canonical, layout)):
            whole.writerow([raw.strip()])
        else:
            writer.writerow(canonical)
    text = stream.getvalue()
    return (text.removesuffix("\n") if opened.last_line else text).encode()


def _canonical(
    text: str, read: Callable[[str], str | float], unit: Unit | None, number: int
) -> str | float:
    """The field's canonical value; what breaks a rule is written so that it still does."""
    try:
        return read(text)
    except SurveyRowError as error:
        if unit is not None and error.rule in {"not_positive", "above_maximum"}:
            return unit.to_contract(float(text.strip(_BLANKS).replace(",", ".")))
        return text if _is_bad(text, number) else f"? {text}"


def _is_of_other_units(canonical: Sequence[str | float], layout: Layout) -> bool:
    """Whether a record that obeys every other rule is in other units than the file."""
    if not layout.has_units:
        return False
    try:
        check_units(float(canonical[_LENGTH]), float(canonical[_WHOLE]), layout.told_units)
    except SurveyRowError:
        return True
    return False


def _is_bad(text: str, number: int) -> bool:
    try:
        FIELD_READERS[number](text)
    except SurveyRowError:
        return True
    return False
