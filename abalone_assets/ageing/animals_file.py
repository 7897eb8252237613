"""A file of animals whose age nobody knows, read some thousand lines at a time.

Lines are CSV as people have it: with a header in any order or without one, in any units that are
told, separated by commas, semicolons, tabs or bars, with decimal points or commas. A line that is
no animal is told of, and costs the others nothing.
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, Self, cast

from abalone_assets.errors import SurveyError
from abalone_assets.survey import COLUMNS, FEATURES, SurveyRowError, validate_measurements
from abalone_assets.survey.animals_header import AnimalsHeader, read_animals_header
from abalone_assets.survey.dialect import guess_decimal, guess_delimiter, without_separator_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from abalone_assets.modeling.rows import Rows
    from abalone_assets.survey.units import Units

    _Record = tuple[int, list[str] | None]
    """The physical line that it begins in, and its fields; None where the quotes are malformed."""

BATCH_ROWS: Final = 10_000
"""Rows of one request; well below the largest body that an endpoint takes."""

_HEAD_LINES: Final = 1000
"""By which delimiter and decimal mark are told."""

_PIECE: Final = 100
"""Rows that are read one by one where one of them is odd."""

_CSV: Final = "text/csv"


@dataclass(frozen=True)
class BadAnimal:
    """A line that is no animal.

    Attributes:
        line: Its number in the file, from 1.
        column: The column at fault; None when the line as a whole is.
        message: What is wrong with it.
        looks_like: The units that it clearly is in, if these are others than told.
    """

    line: int
    column: str | None
    message: str
    looks_like: Units | None = None

    def __str__(self) -> str:
        """Where it is, and what is wrong."""
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: {self.message}"


@dataclass(frozen=True)
class Batch:
    """Some lines of a file.

    Attributes:
        given: The eight fields of each line as they were written, but for decimal commas: for each
            of ``FEATURES`` a text for each of the ``n`` lines.
        others: The fields that go along, likewise.
        animals: Those that can be asked about, canonical, in the survey's units.
        bad: The lines that are no animals, by their place in the batch.
        ignored_rings: How many lines had a ninth field, which is not asked about.
    """

    given: Sequence[Sequence[str]]
    others: Sequence[Sequence[str]]
    animals: Rows | None
    bad: dict[int, BadAnimal]
    ignored_rings: int

    def __len__(self) -> int:
        """Lines, bad ones too."""
        return len(self.given[0])

    def to_csv(self) -> str:
        """Its animals as an endpoint takes them."""
        if self.animals is None:
            return ""
        sexes, *numbers = self.animals.columns
        written = [map(str, cast("Any", column).tolist()) for column in numbers]
        return "\n".join(map(",".join, zip(sexes, *written, strict=True))) + "\n"


class AnimalsFile:
    """A file of animals of which nothing but the header has been read.

    Attributes:
        name: Its name, for errors.
        header: How its lines are read.
        decimal: The decimal mark of its numbers.

    Args:
        stream: Its bytes: UTF-8, or UTF-16 as its byte order mark says.
        name: Its name, for errors.
        units: Of the measurements, if anybody told and no header does.

    Raises:
        SurveyError: It is no text, its header is not understood, or its decimal mark is not
            certain.
    """

    def __init__(self, stream: BinaryIO, name: str, units: Units | None = None) -> None:
        self.name = name
        self._lines = lines = _decoded(stream)
        try:
            head = list(islice(lines, _HEAD_LINES))
        except UnicodeError as error:
            raise self._no_text(error) from error
        text = "".join(head)
        delimiter = guess_delimiter(text, len(FEATURES)) or ","
        try:
            self.decimal = guess_decimal(text, delimiter) if delimiter != "," else "."
            skipped = int(without_separator_line(text) != text)
            self._records = self._read(chain(head[skipped:], lines), delimiter, skipped)
            first = next(self._records, None)
            self.header = AnimalsHeader()
            if first is not None:
                self.header = read_animals_header(first[1] or [], units)
        except SurveyError as error:
            raise SurveyError(f"{name}: {error}") from error
        if first is not None and not self.header.is_line:
            self._records = chain([first], self._records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.detach()  # the stream is whoever's opened it

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """Its animals, so many lines at a time.

        Raises:
            SurveyError: It is no text, a quote is never closed, or there is no line in it.
        """
        found = False
        try:
            while records := list(islice(self._records, rows)):
                found = True
                yield self._batch(records)
        except UnicodeError as error:
            raise self._no_text(error) from error
        if not found:
            raise SurveyError(f"{self.name}: no rows in it; give eight fields a line")

    def _no_text(self, error: UnicodeError) -> SurveyError:
        reason = getattr(error, "reason", str(error))
        return SurveyError(f"{self.name}: not UTF-8 text: {reason}; save it as CSV (UTF-8)")

    def _read(self, lines: Iterator[str], delimiter: str, line: int) -> Iterator[_Record]:
        """The records that hold anything."""
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            start = line + reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "expected after" not in str(error):  # as opposed to text behind a closing quote
                    place = f"{self.name}, line {line + reader.line_num}"
                    raise SurveyError(f"{place}: not CSV: {error}") from error
                yield start, None
                continue
            if fields and (fields[0].strip() or any(map(str.strip, fields))):
                yield start, fields

    def _batch(self, records: list[_Record]) -> Batch:
        width, bad = self.header.width, dict[int, BadAnimal]()
        fields = [each or [] for _, each in records]
        rings = 0
        if set(map(len, fields)) != {width}:
            trimmed = [self.header.trimmed(each) for each in fields]
            rings = sum(len(each) == len(COLUMNS) for each in fields) * (not self.header.is_line)
            for place, each in enumerate(trimmed):
                if len(each) != width:
                    bad[place] = self._miscounted(*records[place])
            fields = [(each + [""] * width)[:width] for each in trimmed]
        columns: list[Sequence[str]] = list(zip(*fields, strict=True))
        given = [columns[place] for place in self.header.places]
        if self.decimal == ",":
            given[1:] = [[field.replace(",", ".") for field in column] for column in given[1:]]
        animals = self._animals(given, [line for line, _ in records], bad)
        return Batch(given, [columns[at] for at, _ in self.header.others], animals, bad, rings)

    def _miscounted(self, line: int, fields: list[str] | None) -> BadAnimal:
        if fields is None:
            said = "text follows a closing quote; a delimiter or the line's end must"
            return BadAnimal(line, None, said)
        return BadAnimal(line, None, self.header.miscounted(len(fields)))

    def _animals(
        self, given: list[Sequence[str]], lines: Sequence[int], bad: dict[int, BadAnimal]
    ) -> Rows | None:
        """The animals of all lines that are none of the bad ones; others that are bad join them."""
        import numpy as np

        from abalone_assets.modeling.rows import Rows, field_columns

        if not bad:
            columns = field_columns(given, self.header.units)
            if columns is not None:
                return Rows(columns, _CSV)
        pieces: list[list[Sequence[Any]]] = []
        for start in range(0, len(lines), _PIECE):
            places = [at for at in range(start, min(start + _PIECE, len(lines))) if at not in bad]
            piece = [[column[at] for at in places] for column in given]
            columns = field_columns(piece, self.header.units) if places else None
            if columns is not None:
                pieces.append(columns)
                continue
            rows = [
                row
                for at in places
                if (row := self._row([column[at] for column in given], lines[at], at, bad))
            ]
            if rows:
                sexes, *numbers = zip(*rows, strict=True)
                pieces.append([sexes, *(cast("Any", np.array(each)) for each in numbers)])
        if not pieces:
            return None
        all_sexes, *all_numbers = zip(*pieces, strict=True)
        joined = [cast("Any", np.concatenate(each)) for each in all_numbers]
        return Rows([[*chain(*all_sexes)], *joined], _CSV)

    def _row(
        self, fields: list[str], line: int, place: int, bad: dict[int, BadAnimal]
    ) -> Sequence[Any] | None:
        try:
            return validate_measurements(fields, self.header.units)
        except SurveyRowError as error:
            bad[place] = BadAnimal(line, error.column, error.message, error.looks_like)
            return None


def _decoded(stream: BinaryIO) -> io.TextIOWrapper:
    """The text, as a byte order mark says or in UTF-8."""
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(cast("Any", stream))
    start = buffered.peek(2)[:2]
    utf_16 = start in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    encoding = "utf-16" if utf_16 else "utf-8-sig"
    return io.TextIOWrapper(cast("Any", buffered), encoding=encoding, newline="")
