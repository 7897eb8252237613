"""Many animals as text: what a spreadsheet exports, or what is copied out of one."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import SurveyError
from abalone_assets.pages.calculator.measured import Animal, look_like, read_animal
from abalone_assets.pages.calculator.problems import Problem
from abalone_assets.survey import FEATURES
from abalone_assets.survey.animals_header import AnimalsHeader, read_animals_header
from abalone_assets.survey.dialect import guess_decimal, guess_delimiter, without_separator_line
from abalone_assets.survey.units import as_size, guess_units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abalone_assets.survey.units import Units

MAX_ANIMALS: Final = 10_000
"""More are no table that a person reads; `abalone predict` ages files of any size."""

_SHOWN_CHARACTERS: Final = 120
_Line = tuple[int, list[str]]


class TableError(SurveyError):
    """A text that cannot be read as animals at all."""


@dataclass(frozen=True)
class TableRow:
    """A line that is an animal.

    Attributes:
        line: Its number in the text, from 1.
        fields: What stood there, by survey column.
        animal: What it means.
        others: What else stood there, such as an id, by its name in the header.
    """

    line: int
    fields: Mapping[str, str]
    animal: Animal
    others: Mapping[str, str]


@dataclass(frozen=True)
class BadLine:
    """A line that is none.

    Attributes:
        line: Its number in the text, from 1.
        problems: What is wrong with it.
        text: What stands there, shortened.
    """

    line: int
    problems: Sequence[Problem]
    text: str


@dataclass(frozen=True)
class Table:
    """The animals of a text.

    Attributes:
        units: Of its measurements.
        told: Whether its header says so.
        rows: Its animals, in the text's order.
        bad: The lines that are none.
    """

    units: Units
    told: bool
    rows: Sequence[TableRow]
    bad: Sequence[BadLine]

    @property
    def lines(self) -> str:
        """Its animals as an endpoint takes them."""
        return "".join(row.animal.line for row in self.rows)


def read_table(data: bytes, units: Units) -> Table:
    """The animals of a text: eight fields a line, or nine with the rings, which are left out.

    Fields are separated by commas, semicolons, tabs or bars, numbers have decimal points or commas.
    A header is obeyed: order, units, and columns that are not needed, which go along.

    Args:
        data: The text as UTF-8.
        units: Of its measurements, if no header tells them.

    Raises:
        TableError: It is no such text, there is no animal or are too many in it, or its numbers
            are clearly of other units.
    """
    text = without_separator_line(_decoded(data))
    delimiter = guess_delimiter(text, len(FEATURES)) or ","
    try:
        decimal = guess_decimal(text, delimiter) if delimiter != "," else "."
        lines = list(_lines(text, delimiter))
        header = AnimalsHeader(units=units)
        if lines:
            header = read_animals_header(lines[0][1], units, header_wins=True)
            lines = lines[header.is_line :]
    except SurveyError as error:
        raise TableError(str(error)) from error
    if not lines:
        raise TableError("there is no animal in it: give a line of eight fields for each")
    if len(lines) > MAX_ANIMALS:
        raise TableError(
            f"{len(lines):,} lines are more than the {MAX_ANIMALS:,} that are aged at once: split "
            "it, or age the file with `abalone predict`"
        )
    found = [(number, fields, _by_column(fields, header)) for number, fields in lines]
    if decimal == ",":
        for _, _, named in found:
            named.update({name: field.replace(",", ".") for name, field in named.items()})
    _check_units([named for _, _, named in found], header.units)
    return _judged(found, header, delimiter)


def _judged(
    found: Sequence[tuple[int, list[str], dict[str, str]]], header: AnimalsHeader, delimiter: str
) -> Table:
    rows: list[TableRow] = []
    bad: list[BadLine] = []
    for number, fields, named in found:
        read: Animal | list[Problem] = [
            Problem(None, "field_count", header.miscounted(len(fields)))
        ]
        if named:
            read = read_animal(named, header.units)
        if isinstance(read, Animal):
            others = {name: fields[place] for place, name in header.others}
            rows.append(TableRow(number, named, read, others))
        else:
            bad.append(BadLine(number, read, delimiter.join(fields)[:_SHOWN_CHARACTERS]))
    return Table(header.units, header.told, rows, bad)


def _decoded(data: bytes) -> str:
    if b"\0" in data:
        raise TableError("this is no text: save the table as CSV (UTF-8) first")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise TableError("the text is not UTF-8: save it as CSV (UTF-8)") from error


def _lines(text: str, delimiter: str) -> Iterator[_Line]:
    """The fields of each line that has any, with the line's number, from 1."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 1
    try:
        for fields in reader:
            stripped = [field.strip() for field in fields]
            if any(stripped):
                yield number, stripped
            number = reader.line_num + 1
    except csv.Error as error:
        raise TableError(f"line {reader.line_num} is no CSV: {error}") from error


def _by_column(fields: list[str], header: AnimalsHeader) -> dict[str, str]:
    """The fields by column; nothing when there are not as many as there should be."""
    known = header.trimmed(fields)
    if len(known) != header.width:
        return {}
    return {name: known[at] for name, at in zip(FEATURES, header.places, strict=True)}


def _check_units(found: Sequence[Mapping[str, str]], units: Units) -> None:
    """Refuse a text whose numbers are of other units as a whole."""
    looks = guess_units(_sizes(found), units)
    if looks is not None and looks != units:
        raise TableError(f"taken as {units.words}, {look_like(looks)}")


def _sizes(found: Sequence[Mapping[str, str]]) -> Iterator[tuple[float, float]]:
    for fields in found:
        length, weight = (as_size(fields.get(name)) for name in ("length", "whole_weight"))
        if length is not None and weight is not None:
            yield length, weight
