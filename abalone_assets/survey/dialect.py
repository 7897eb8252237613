"""How the text of a survey file separates fields and decimals: what it is read by, and a guess."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import SurveyError
from abalone_assets.survey.columns import COLUMNS, FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.survey.units import Units

DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_WITH_COMMA: Final = re.compile(r"[+-]?[0-9]*,[0-9]+")
_WITH_POINT: Final = re.compile(r"[+-]?[0-9]*\.[0-9]+")
_THOUSANDS: Final = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_SLIPS: Final = 0.1
_SEPARATOR_LINE: Final = re.compile(r"sep=(.)[ \t]*(?=\r|\n|\Z)", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """What is known of how a file is to be read; the default is the survey contract.

    Attributes:
        delimiter: Between fields.
        decimal: ``.`` or ``,`` in numbers.
        columns: The columns in the order of the fields, as a header would name them; empty for
            what the file's own header says, or else the contract's order.
        units: Of its measurements, when no header tells them.
        rings: Whether the animals' rings were counted; else the column is left out.
    """

    delimiter: str = ","
    decimal: str = "."
    columns: tuple[str, ...] = ()
    units: Units | None = None
    rings: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its columns, in the contract's order."""
        return tuple(column.name for column in COLUMNS) if self.rings else FEATURES


def without_separator_line(text: str) -> str:
    """The text without the line ``sep=;`` by which spreadsheets tell the delimiter."""
    match = _SEPARATOR_LINE.match(text)
    return text[match.end() :] if match else text


def guess_delimiter(text: str, fields: int = len(COLUMNS)) -> str | None:
    """The delimiter by which nearly all records have as many fields as a survey, or more.

    Args:
        text: Of the file.
        fields: As many as a record has at the least.
    """
    told = _SEPARATOR_LINE.match(text)
    if told:
        return told.group(1) if told.group(1) in DELIMITERS else None
    fits = []
    for delimiter in DELIMITERS:
        widths = [len(record) for record in _records(text, delimiter)]
        wide = sum(width >= fields for width in widths)
        if widths and wide > len(widths) / 2:
            fits.append((wide, delimiter))
    best = [delimiter for wide, delimiter in fits if wide == max(fits)[0]]
    if len(best) <= 1:
        return best[0] if best else None
    # Eight fields with seven decimal commas are as many between commas as between tabs.
    return min(best, key=lambda delimiter: _unsplit(text, delimiter))


def _unsplit(text: str, delimiter: str) -> int:
    """How many fields still hold another delimiter that is no decimal comma."""
    others = DELIMITERS.keys() - {delimiter}
    split = (field for record in _records(text, delimiter) for field in record)
    return sum(not (others.isdisjoint(field) or _WITH_COMMA.fullmatch(field)) for field in split)


def guess_decimal(text: str, delimiter: str) -> str:
    """The decimal mark of the numbers, but for a few slips.

    Raises:
        SurveyError: Many numbers have a point and others a comma, or the commas may as well
            separate thousands.
    """
    fields = [field.strip() for record in _records(text, delimiter) for field in record]
    commas = [field for field in fields if _WITH_COMMA.fullmatch(field)]
    points = [field for field in fields if _WITH_POINT.fullmatch(field)]
    slips = _SLIPS * (len(commas) + len(points))
    if min(len(commas), len(points)) > slips:
        raise SurveyError(
            f"some numbers have a decimal comma ({commas[0]}) and others a point ({points[0]}): "
            "write all of them in one way"
        )
    if len(commas) <= slips:
        return "."
    if all(_THOUSANDS.fullmatch(field) for field in commas):
        raise SurveyError(
            f"the comma in {commas[0]} may be a decimal comma or separate thousands: say "
            "--decimal comma if it is a decimal comma, or export the numbers without thousands"
        )
    return ","


def _records(text: str, delimiter: str) -> Sequence[list[str]]:
    stream = io.StringIO(without_separator_line(text), newline="")
    try:
        records = [record for record in csv.reader(stream, delimiter=delimiter) if any(record)]
    except csv.Error:
        return []
    return records
