"""A file of animals whose age nobody knows, read some thousand lines at a time.

Lines are CSV as people have it: with a header in any order or without one, in any units that are
told, separated by commas, semicolons, tabs or bars, with decimal points or commas. A line that is
no animal is told of, and costs the others nothing.
"""

from __future__ import annotations

import codecs
import csv
import io
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, Self, cast

from abalone_assets.ageing.batch import MANY, BadAnimal, Batch
from abalone_assets.errors import SurveyError
from abalone_assets.survey import COLUMNS, FEATURES, SurveyRowError, validate_measurements
from abalone_assets.survey.animals_header import AnimalsHeader, read_animals_header
from abalone_assets.survey.dialect import guess_decimal, guess_delimiter, without_separator_line
from abalone_assets.survey.units import CONTRACT_UNITS

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
            self._line = int(without_separator_line(text) != text)
            self._delimiter = delimiter
            self._source: Iterator[str] = chain(head[self._line :], lines)
            self.header = self._read_header(units)
        except SurveyError as error:
            raise SurveyError(f"{name}: {error}") from error

    def _read_header(self, units: Units | None) -> AnimalsHeader:
        """How lines are read; the first record is put back unless it is a header."""
        taken: list[str] = []

        def lines() -> Iterator[str]:
            for line in self._source:
                taken.append(line)
                yield line

        header = AnimalsHeader(units=units or CONTRACT_UNITS)
        first = next((fields for _, fields in self._read(lines()) if not _is_blank(fields)), None)
        if first is not None:
            header = read_animals_header(first, units)
        if header.is_line:
            self._line += len(taken)
        else:
            self._source = chain(taken, self._source)
        return header

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
            while lines := list(islice(self._source, rows)):
                batch = self._clean(lines) or self._plain(lines) or self._quoted(lines)
                if batch is not None:
                    found = True
                    yield batch
        except UnicodeError as error:
            raise self._no_text(error) from error
        if not found:
            raise SurveyError(f"{self.name}: no rows in it; give eight fields a line")

    def _no_text(self, error: UnicodeError) -> SurveyError:
        reason = getattr(error, "reason", str(error))
        return SurveyError(f"{self.name}: not UTF-8 text: {reason}; save it as CSV (UTF-8)")

    def _clean(self, lines: list[str]) -> Batch | None:
        """Lines that an endpoint reads as they are, by column: in a fifth of `_plain`'s time.

        Returns:
            None of few lines, for which Polars is not loaded, and of others than clean ones.
        """
        if len(lines) < MANY or not self._is_canonical:
            return None
        from abalone_assets.ageing.clean_lines import clean_lines
        from abalone_assets.modeling.rows import Rows

        text = "".join(lines).replace("\r\n", "\n")
        clean = clean_lines(text)
        if clean is None or clean.odd:
            return None
        rows = text.removesuffix("\n").split("\n")
        if max(map(len, rows)) > csv.field_size_limit():
            return None
        self._line += len(lines)
        return Batch(None, [], Rows(clean.columns, _CSV), {}, 0, rows)

    def _plain(self, lines: list[str]) -> Batch | None:
        """Lines without a quote, all of one width: what `csv` makes of them, in half of its time.

        Returns:
            None of lines that `csv` has to read.
        """
        text, width = "".join(lines).replace("\r\n", "\n"), self.header.width
        if '"' in text or "\r" in text:
            return None
        rows = text.removesuffix("\n").split("\n")
        if len(rows) != len(lines) or {row.count(self._delimiter) for row in rows} != {width - 1}:
            return None
        fields = self._delimiter.join(rows).split(self._delimiter)
        if max(map(len, fields)) > csv.field_size_limit():
            return None
        columns: list[Sequence[str]] = [fields[place::width] for place in range(width)]
        if not all(map(str.strip, columns[0])):  # a blank record, perhaps
            return None
        numbers = range(self._line + 1, self._line + 1 + len(rows))
        self._line += len(lines)
        return self._batch(columns, numbers, {}, 0, rows)

    def _quoted(self, lines: list[str]) -> Batch | None:
        """What `csv` makes of these lines, and of those that a record of them goes on in.

        Returns:
            None when there is nothing in them.
        """
        records = []
        for record in self._read(chain(lines, self._source)):
            if not _is_blank(record[1]):
                records.append(record)
            if self._read_lines >= len(lines):
                break
        self._line += self._read_lines
        if not records:
            return None
        width, bad = self.header.width, dict[int, BadAnimal]()
        given = [fields or [] for _, fields in records]
        trimmed = [self.header.trimmed(fields) for fields in given]
        for place, fields in enumerate(trimmed):
            if len(fields) != width:
                bad[place] = self._miscounted(*records[place])
        rings = sum(len(each) == len(COLUMNS) for each in given) * (not self.header.is_line)
        padded = [(fields + [""] * width)[:width] for fields in trimmed]
        columns: list[Sequence[str]] = list(zip(*padded, strict=True))
        return self._batch(columns, [line for line, _ in records], bad, rings)

    def _read(self, lines: Iterator[str]) -> Iterator[_Record]:
        """Each record, blank ones too; ``_read_lines`` is how many lines were read for them."""
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        self._read_lines = 0
        while True:
            start = self._line + reader.line_num + 1
            try:
                fields: list[str] | None = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "expected after" not in str(error):  # as opposed to text behind a closing quote
                    place = f"{self.name}, line {self._line + reader.line_num}"
                    raise SurveyError(f"{place}: not CSV: {error}") from error
                fields = None
            self._read_lines = reader.line_num
            yield start, fields

    def _batch(
        self,
        columns: Sequence[Sequence[str]],
        lines: Sequence[int],
        bad: dict[int, BadAnimal],
        rings: int,
        texts: Sequence[str] = (),
    ) -> Batch:
        """The batch of some lines; ``texts`` are those of which the fields are all there is."""
        from abalone_assets.modeling.rows import Rows, field_columns

        given = [columns[place] for place in self.header.places]
        if self.decimal == ",":
            given[1:] = [[field.replace(",", ".") for field in column] for column in given[1:]]
        others = [columns[place] for place, _ in self.header.others]
        clean = None if bad else field_columns(given, self.header.units)
        if clean is not None:
            as_given: Sequence[str] = ()
            if self._is_canonical and texts:
                as_given = texts
            elif self.header.units.is_contract:
                as_given = [*map(",".join, zip(*given, strict=True))]
            return Batch(given, others, Rows(clean, _CSV), {}, rings, as_given)
        return Batch(given, others, self._animals(given, lines, bad), bad, rings)

    @property
    def _is_canonical(self) -> bool:
        """Whether plain lines are what an endpoint reads."""
        in_order = [*self.header.places] == [*range(len(FEATURES))] and not self.header.others
        is_written_so = (self._delimiter, self.decimal) == (",", ".")
        return in_order and is_written_so and self.header.units.is_contract

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


def _is_blank(fields: list[str] | None) -> bool:
    """Whether a record holds nothing; one whose quotes are malformed does."""
    return fields is not None and not any(map(str.strip, fields))


def _decoded(stream: BinaryIO) -> io.TextIOWrapper:
    """The text, as a byte order mark says or in UTF-8."""
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(cast("Any", stream))
    start = buffered.peek(2)[:2]
    utf_16 = start in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    encoding = "utf-16" if utf_16 else "utf-8-sig"
    return io.TextIOWrapper(cast("Any", buffered), encoding=encoding, newline="")
