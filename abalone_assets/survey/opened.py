"""A survey file whose header has been read, and nothing else of it yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from abalone_assets.survey.columns import COLUMNS
from abalone_assets.survey.dialect import Reading, without_separator_line
from abalone_assets.survey.file_names import WITH_RINGS
from abalone_assets.survey.header import (
    HeaderError,
    Layout,
    contract_layout,
    is_header,
    names_columns,
    read_header,
)
from abalone_assets.survey.parsed import UnreadableSurveyError
from abalone_assets.survey.records import cut_off_line, decoded, records_of
from abalone_assets.survey.rules import SurveyRowError, field_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abalone_assets.survey.records import Record

_DISTINCT_READINGS: Final = 2**13  # the scales' 0.0005 grid has fewer steps than this

FieldReader: TypeAlias = "Callable[[str], str | float]"
"""From a field to its canonical value; raises SurveyRowError."""


@dataclass(frozen=True)
class OpenedSurvey:
    """A survey file of which nothing but the header has been read.

    Attributes:
        file: The file's name.
        reading: How it is read.
        records: First line, fields and raw text of each record that is no header.
        layout: Which of the fields is which column, and in which unit.
        named: The layout as the header or the reading names it, without units that it does not.
        header_text: The header as it was written, with its line ending; empty where there is none.
        last_line: What follows the last line ending, shortened; empty in a whole file.
    """

    file: str
    reading: Reading
    records: Iterator[Record]
    layout: Layout
    named: Layout
    header_text: str
    last_line: str

    @property
    def has_header(self) -> bool:
        """Whether the first record is a header."""
        return bool(self.header_text)

    def readers(self) -> list[FieldReader]:
        """For each of its columns, the function from its field to its canonical value."""
        readers: list[FieldReader] = []
        columns = COLUMNS[: len(self.layout.units)]
        for column, unit in zip(columns, self.layout.units, strict=True):
            read: FieldReader = field_reader(column, unit)
            if self.reading.decimal == "," and column.dtype != "string":
                read = _with_decimal_comma(column.name, read)
            readers.append(lru_cache(maxsize=_DISTINCT_READINGS)(read))
        return readers


def open_survey(data: bytes, file: str, *, reading: Reading | None = None) -> OpenedSurvey:
    """Decode a survey file and read its header; its records are read as they are asked for.

    Args:
        data: The file's content. An empty file is a survey of no rows.
        file: Its name, for messages.
        reading: What is known of how to read it; None when it obeys the contract.

    Raises:
        UnreadableSurveyError: As :func:`parse_survey`; what is wrong with a record's quotes is
            raised when the record is asked for.
    """
    reading = reading or Reading()
    text = without_separator_line(decoded(data, file))
    records = records_of(text, file, reading.delimiter)
    first = next(records, None)
    header = first if first is not None and is_header(first[1]) else None
    if first is not None and header is None:
        records = chain([first], records)
    try:
        named = _layout(header[1] if header else None, reading)
        layout = _in_units(named, reading)
    except HeaderError as error:
        raise UnreadableSurveyError(file, str(error)) from error
    header_text = header[2] if header else ""
    return OpenedSurvey(file, reading, records, layout, named, header_text, cut_off_line(text))


def _layout(header: Sequence[str] | None, reading: Reading) -> Layout:
    """The layout that the reading or else the header tells.

    Raises:
        HeaderError: It cannot be understood, or they contradict each other.
    """
    names = reading.names
    if not reading.rings and any(map(_names_a_survey, (reading.columns, header or ()))):
        raise HeaderError(WITH_RINGS)
    if not reading.columns:
        return read_header(header, names) if header else contract_layout(names)
    told = read_header(reading.columns, names)
    if header and names_columns(header):
        try:
            own = read_header(header, names)
        except HeaderError:
            return told
        if own.order != told.order or (told.has_units and own.units != told.units):
            raise HeaderError(
                f"its own header says {own.order}: leave out --columns, or take the header off"
            )
        return replace(told, units=own.units)
    return told


def _names_a_survey(header: Sequence[str]) -> bool:
    try:
        read_header(header)
    except HeaderError:
        return False
    return True


def _in_units(named: Layout, reading: Reading) -> Layout:
    """The layout with the units of the reading, if it has any.

    Raises:
        HeaderError: The header tells others.
    """
    if reading.units is None:
        return named
    layout = named.with_units(reading.units)
    if named.has_units and named != layout:
        raise HeaderError(
            f"its header tells the units {named.units_named} itself: leave out "
            f"--units {reading.units.name}"
        )
    return layout


def _with_decimal_comma(column: str, read: FieldReader) -> FieldReader:
    """The reader, of numbers whose decimal mark is a comma."""

    def read_marked(text: str) -> str | float:
        if "." in text:
            message = f"{column} is {text!r}; its decimal mark must be a comma, as it is elsewhere"
            raise SurveyRowError(column, "not_a_number", message)
        return read(text.replace(",", "."))

    return read_marked
