"""The one parser of survey files: bytes in, canonical columns and quarantined rows out.

Fields are read by RFC 4180 with UTF-8 text, any line ending, an optional byte order mark and blank
lines. A header is obeyed. A record is rejected by the first rule it breaks; a file when it cannot
be a survey at all, when its header is not understood, or when so many of its records are bad that
the others cannot be trusted either.
"""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, TypeAlias

from abalone_assets.errors import SurveyError
from abalone_assets.survey.columns import COLUMNS, FEATURES, SEXES
from abalone_assets.survey.diagnosis import (
    BadRecords,
    certain_cause,
    contradicted_units,
    likely_cause,
    units_that_mend,
)
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
from abalone_assets.survey.rules import (
    SurveyRowError,
    check_units,
    field_reader,
    in_other_units,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from abalone_assets.survey.units import Units

MAX_FILE_BYTES: Final = 64 * 2**20

MAX_BAD_SHARE: Final = 0.2
"""A file with a larger share of bad records is refused.

Crews' slips spoil 0.05 % (UCI) to 3 % of a survey's records. What spoils a fifth of them is no slip
but a column, a unit or a part of the file, and it may as well spoil, unseen, what passes the rules.
"""

MIN_BAD_RECORDS: Final = 5
"""Fewer bad records than this are slips, whatever their share: a file of a few animals is judged
row by row, unless one cause explains that none of them can be read."""

LOWER_CASE_SEX: Final = "lower_case_sex"
EMPTY_LAST_FIELDS: Final = "empty_last_fields"
_MENDED_WORDS: Final = {
    LOWER_CASE_SEX: "with the sex in lower case, read as upper case",
    EMPTY_LAST_FIELDS: "with empty fields behind the last, which were dropped",
}

_NAMES: Final = tuple(column.name for column in COLUMNS)
_LENGTH: Final = _NAMES.index("length")
_WHOLE: Final = _NAMES.index("whole_weight")
_CANONICAL_SEXES: Final = frozenset(SEXES)
_BLANKS: Final = " \t"
_SHOWN_CHARACTERS: Final = 60
_BLOCK_RECORDS: Final = 64  # small, as one bad record has its whole block read twice
_DISTINCT_READINGS: Final = 2**13  # the scales' 0.0005 grid has fewer steps than this

_Value: TypeAlias = "str | float"
# First line, fields (none when the quotes are malformed) and raw text with its line ending.
_Record: TypeAlias = "tuple[int, list[str], str]"
_Reader: TypeAlias = "Callable[[str], _Value]"


class UnreadableSurveyError(SurveyError):
    """A file cannot be a survey at all: no row of it can be trusted.

    Attributes:
        file: The file's name.
        reason: What is wrong with it and what to do.
        bad_rows: The records for which it is refused, where it is for these, in file order.
        looks_like: The units in which it would be read, if these are all that is wrong.
    """

    def __init__(
        self,
        file: str,
        reason: str,
        bad_rows: Sequence[QuarantinedRow] = (),
        looks_like: Units | None = None,
    ) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason
        self.bad_rows = tuple(bad_rows)
        self.looks_like = looks_like


@dataclass(frozen=True)
class QuarantinedRow:
    """A record that breaks a hard rule.

    Attributes:
        file: Name of its file.
        line: The physical line, from 1, where the record starts.
        column: The first column at fault; None when the record as a whole is.
        rule: The broken rule, as in :class:`SurveyRowError`.
        message: What was found and what is allowed.
        raw: The record's whole text, without its line ending.
    """

    file: str
    line: int
    column: str | None
    rule: str
    message: str
    raw: str


@dataclass(frozen=True)
class ParsedSurvey:
    """A survey file: its rows in canonical form, and the records that broke a rule.

    Attributes:
        file: The file's name.
        columns: For each of its columns its values, all lists of one length.
        lines: The physical line, from 1, where each row starts.
        quarantined: The rejected records, in file order.
        header_line: Whether the first record was a header, and obeyed.
        record_count: Records that were read, neither blank nor the header; counted before they
            were judged, so that a record that got lost shows.
        mended: How many of the rows were read as they were meant, by what was odd about them:
            ``lower_case_sex``, ``empty_last_fields``.
        notes: What whoever sent the file should know, a sentence each: what was mended, how its
            header was understood, whether it may have been cut short.
        units: The units that its lengths and weights were converted from; None if they are the
            contract's.
    """

    file: str
    columns: dict[str, list[_Value]]
    lines: list[int]
    quarantined: list[QuarantinedRow]
    header_line: bool
    record_count: int
    mended: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    units: Units | None = None

    @property
    def row_count(self) -> int:
        """Rows that obey every hard rule."""
        return len(self.lines)


@dataclass(frozen=True)
class OpenedSurvey:
    """A survey file of which nothing but the header has been read.

    Attributes:
        file: The file's name.
        reading: How it is read.
        records: First line, fields and raw text of each record that is no header.
        layout: Which of the fields is which column, and in which unit.
        named: The layout as the header or the reading names it, without units that it does not.
        header_line: Whether there was a header.
        last_line: What follows the last line ending, shortened; empty in a whole file.
        header_text: The header as it was written, with its line ending.
    """

    file: str
    reading: Reading
    records: Iterator[_Record]
    layout: Layout
    named: Layout
    header_line: bool
    last_line: str
    header_text: str = ""

    def readers(self) -> list[_Reader]:
        """For each of its columns, the function from its field to its canonical value."""
        readers: list[_Reader] = []
        columns = COLUMNS[: len(self.layout.units)]
        for column, unit in zip(columns, self.layout.units, strict=True):
            read: _Reader = field_reader(column, unit)
            if self.reading.decimal == "," and column.dtype != "string":
                read = _with_decimal_comma(column.name, read)
            readers.append(lru_cache(maxsize=_DISTINCT_READINGS)(read))
        return readers

    def notes(self, mended: Mapping[str, int]) -> Iterator[str]:
        """What whoever sent the file should know."""
        if self.named.order != contract_layout(self.reading.names).order:
            yield f"read in the order {self.named.order}"
        if self.layout.has_units:
            yield f"converted from {self.layout.units_named}"
        if self.layout.ignored:
            yield f"without {', '.join(self.layout.ignored)}: no column of a survey"
        for kind, count in mended.items():
            yield f"{count} {'row' if count == 1 else 'rows'} {_MENDED_WORDS[kind]}"
        if self.last_line:
            yield (
                f"the last line ({self.last_line}) has no line ending: if the file was cut short, "
                "its last number may be too"
            )


def open_survey(
    data: bytes, file: str, *, max_bytes: int = MAX_FILE_BYTES, reading: Reading | None = None
) -> OpenedSurvey:
    """Decode a survey file and read its header; its records are read as they are asked for.

    Args:
        data: The file's content. An empty file is a survey of no rows.
        file: Its name, for messages.
        max_bytes: The largest content that is read.
        reading: What is known of how to read it; None when it obeys the contract.

    Raises:
        UnreadableSurveyError: As :func:`parse_survey`; what is wrong with a record's quotes is
            raised when the record is asked for.
    """
    reading = reading or Reading()
    text = without_separator_line(_decode(data, file, max_bytes))
    records = _records(text, file, reading.delimiter)
    first = next(records, None)
    header = first is not None and is_header(first[1])
    if first is not None and not header:
        records = chain([first], records)
    try:
        named = _layout(first[1] if first is not None and header else None, reading)
        layout = _in_units(named, reading)
    except HeaderError as error:
        raise UnreadableSurveyError(file, str(error)) from error
    return OpenedSurvey(
        file,
        reading,
        records,
        layout,
        named,
        header,
        _cut_off_line(text),
        first[2] if first is not None and header else "",
    )


def parse_survey(
    data: bytes, file: str, *, max_bytes: int = MAX_FILE_BYTES, reading: Reading | None = None
) -> ParsedSurvey:
    """Parse a survey file; every record ends as a row or in quarantine.

    Args:
        data: The file's content. An empty file is a survey of no rows.
        file: Its name, for messages and quarantined rows.
        max_bytes: The largest content that is read.
        reading: What is known of how to read it; None when it obeys the contract.

    Raises:
        UnreadableSurveyError: The content is too large, is not UTF-8 text, has NUL bytes, a quote
            that never closes, a field beyond the ``csv`` module's limit, another delimiter or a
            header that is not understood; or more than ``MAX_BAD_SHARE`` of its records are bad.
    """
    opened = open_survey(data, file, max_bytes=max_bytes, reading=reading)
    judge = _Judge(opened, opened.readers())
    columns: dict[str, list[_Value]] = {name: [] for name in opened.reading.names}
    lines: list[int] = []
    record_count = 0
    while block := list(islice(opened.records, _BLOCK_RECORDS)):
        record_count += len(block)
        accepted, values = judge.read_block(block)
        lines.extend(record[0] for record in accepted)
        for column, block_values in zip(columns.values(), values, strict=True):
            column.extend(block_values)
    judge.refuse_bad_file(record_count)
    if opened.named.has_units:
        contradiction = contradicted_units(columns, opened.layout)
        if contradiction:
            raise UnreadableSurveyError(file, contradiction)
    mended = {kind: count for kind, count in judge.mended.items() if count}
    return ParsedSurvey(
        file,
        columns,
        lines,
        judge.quarantined,
        opened.header_line,
        record_count,
        mended,
        tuple(opened.notes(mended)),
        opened.layout.told_units if opened.layout.has_units else None,
    )


def without_empty_last_fields(fields: list[str], width: int) -> list[str]:
    """The fields without those beyond the width, if all of these are empty."""
    if len(fields) > width and not "".join(fields[width:]).strip(_BLANKS):
        return fields[:width]
    return fields


def _decode(data: bytes, file: str, max_bytes: int) -> str:
    if len(data) > max_bytes:
        raise UnreadableSurveyError(
            file, f"{len(data):,} bytes are above the limit of {max_bytes:,}: split the survey"
        )
    nul = data.find(0)
    if nul >= 0:
        raise UnreadableSurveyError(
            file,
            f"a NUL byte at offset {nul} (line {_line_at(data, nul)}) means binary or UTF-16 "
            "content: export it as UTF-8 CSV",
        )
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = data[error.start : error.start + 1]
        raise UnreadableSurveyError(
            file,
            f"byte 0x{byte.hex()} at offset {error.start} (line {_line_at(data, error.start)}) is "
            f"not UTF-8, in Latin-1 it is {byte.decode('latin-1')!r}: export the file as UTF-8 CSV",
        ) from error


def _line_at(data: bytes, offset: int) -> int:
    before = data[:offset]
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def _cut_off_line(text: str) -> str:
    """What follows the last line ending, if anything, shortened."""
    start = max(text.rfind("\n"), text.rfind("\r")) + 1
    return text[start:].strip()[-_SHOWN_CHARACTERS:]


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


def _with_decimal_comma(column: str, read: _Reader) -> _Reader:
    """The reader, of numbers whose decimal mark is a comma."""

    def read_marked(text: str) -> _Value:
        if "." in text:
            message = f"{column} is {text!r}; its decimal mark must be a comma, as it is elsewhere"
            raise SurveyRowError(column, "not_a_number", message)
        return read(text.replace(",", "."))

    return read_marked


def _records(text: str, file: str, delimiter: str) -> Iterator[_Record]:
    """Every record that is not blank."""
    stream = io.StringIO(text, newline="")  # keeps the line endings, and splits at each kind
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    line, start = 1, 0
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "expected after" not in str(error):  # as opposed to text behind a closing quote
                raise UnreadableSurveyError(
                    file,
                    f"a quote that opens at line {line} is never closed, or a field there is too "
                    f"long ({error}): remove or close the quote",
                ) from error
            fields = []
        stop = stream.tell()
        raw = text[start:stop]
        if len(fields) > 1 or (raw and not raw.isspace()):
            yield line, fields, raw
        line, start = reader.line_num + 1, stop


@dataclass
class _Judge:
    """Reads records, and keeps those that are bad."""

    opened: OpenedSurvey
    fields: Sequence[_Reader]
    quarantined: list[QuarantinedRow] = field(default_factory=list)
    empty: int = 0
    mended: dict[str, int] = field(
        default_factory=lambda: {LOWER_CASE_SEX: 0, EMPTY_LAST_FIELDS: 0}
    )

    def read_block(self, block: list[_Record]) -> tuple[list[_Record], list[list[_Value]]]:
        """The accepted records and their values by column; the others are put in quarantine."""
        try:
            # Nearly every block is clean, and by column it is read twice as fast.
            return block, self._read_columns(block)
        except SurveyRowError:
            width = self.opened.layout.width
            trimmed = [(r[0], without_empty_last_fields(r[1], width), r[2]) for r in block]
        longer = {old[0] for old, new in zip(block, trimmed, strict=True) if old[1] is not new[1]}
        accepted, values = trimmed, None
        if longer:  # a spreadsheet writes them in all records, and nothing else may be wrong
            with suppress(SurveyRowError):
                values = self._read_columns(trimmed)
        if values is None:
            accepted = [record for record in trimmed if not self._quarantines(record)]
            values = self._read_columns(accepted)
        self.mended[EMPTY_LAST_FIELDS] += sum(line in longer for line, _, _ in accepted)
        return accepted, values

    def refuse_bad_file(self, record_count: int) -> None:
        """Refuse the file when too many of its records are bad, or one cause spoils all of them.

        Raises:
            UnreadableSurveyError: With the reason behind most of them.
        """
        judged = record_count - self.empty
        count = len(self.quarantined) - self.empty
        reading = self.opened.reading
        faults = [row for row in self.quarantined if not self._is_empty(row.raw)]
        if not faults:
            return
        raws = [row.raw for row in faults]
        layout = self.opened.layout
        bad = BadRecords.sampled(raws, layout, reading.delimiter, reading.decimal, count / judged)
        if count >= MIN_BAD_RECORDS and count > MAX_BAD_SHARE * judged:
            cause = likely_cause(bad, [(row.column, row.rule, row.message) for row in faults])
            reason = (
                f"{count} of {judged} records break a rule of the survey contract, more than "
                f"{MAX_BAD_SHARE:.0%}: {cause}"
            )
            raise self._refused(reason, bad)
        if count == judged:
            reason = certain_cause(bad) or ""
            if reason:
                raise self._refused(reason, bad)

    def _refused(self, reason: str, bad: BadRecords) -> UnreadableSurveyError:
        units = None if self.opened.named.has_units else units_that_mend(bad)
        return UnreadableSurveyError(self.opened.file, reason, self.quarantined, units)

    def _read_columns(self, records: Sequence[_Record]) -> list[list[_Value]]:
        layout = self.opened.layout
        for _, fields, _ in records:
            if len(fields) != layout.width:
                raise _miscounted(fields, layout)
        if not records:
            return [[] for _ in self.fields]
        columns = list(zip(*(fields for _, fields, _ in records), strict=True))
        if layout.positions != tuple(range(layout.width)):
            columns = [columns[at] for at in layout.positions]
        values = [
            list(map(read, column)) for read, column in zip(self.fields, columns, strict=True)
        ]
        if layout.has_units:
            told = layout.told_units
            for length, weight in zip(values[_LENGTH], values[_WHOLE], strict=True):
                check_units(float(length), float(weight), told)
        if not _CANONICAL_SEXES.issuperset(columns[0]):
            self.mended[LOWER_CASE_SEX] += sum(sex.strip(_BLANKS).islower() for sex in columns[0])
        return values

    def _quarantines(self, record: _Record) -> bool:
        """Whether the record is bad; it is put in quarantine then."""
        line, fields, raw = record
        counted = self.mended[LOWER_CASE_SEX]
        try:
            self._read_columns([record])
        except SurveyRowError as error:
            self._refuse_another_header(line, fields)
            text = raw.rstrip("\r\n")
            error = self._in_other_units(error, fields)
            self.quarantined.append(
                QuarantinedRow(
                    self.opened.file, line, error.column, error.rule, error.message, text
                )
            )
            self.empty += self._is_empty(text)
            return True
        self.mended[LOWER_CASE_SEX] = counted  # the accepted records of a block are read again
        return False

    def _in_other_units(self, error: SurveyRowError, fields: Sequence[str]) -> SurveyRowError:
        """The error, with the units that the record looks like."""
        layout = self.opened.layout
        if len(fields) != layout.width:
            return error
        values = [fields[at].replace(",", ".") for at in layout.positions[: len(FEATURES)]]
        return in_other_units(error, values, layout.told_units)

    def _is_empty(self, raw: str) -> bool:
        """Whether a record holds nothing, as spreadsheets leave below a table, quoted or not."""
        return not raw.strip(f'{_BLANKS}{self.opened.reading.delimiter}"')

    def _refuse_another_header(self, line: int, fields: Sequence[str]) -> None:
        """Refuse a file in which other columns follow below another header.

        Raises:
            UnreadableSurveyError: The record is a header, and not the one that is obeyed.
        """
        if self.opened.reading.columns or not is_header(fields):
            return
        try:
            same = read_header(fields) == self.opened.named
        except HeaderError:
            same = False
        if not same:
            reason = (
                f"line {line} is a header, but not of the columns as they were read above it: make "
                "it the first line, or split the file there"
            )
            raise UnreadableSurveyError(self.opened.file, reason)


def _miscounted(fields: Sequence[str], layout: Layout) -> SurveyRowError:
    if not fields:
        return SurveyRowError(
            None, "quoting", "text follows a closing quote; a comma or the line's end must"
        )
    found = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
    named = layout.order if layout.width == len(layout.positions) else "as many as the header names"
    return SurveyRowError(None, "field_count", f"found {found}; expected {layout.width}: {named}")
