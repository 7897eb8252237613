"""The one parser of survey files: bytes in, canonical columns and quarantined rows out.

A record is rejected by the first rule it breaks; a file when it cannot be a survey at all, when
its header is not understood, or when so many of its records are bad that the others cannot be
trusted either.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from abalone_assets.survey.columns import COLUMNS, FEATURES, SEXES
from abalone_assets.survey.diagnosis import (
    BadRecords,
    certain_cause,
    contradicted_units,
    likely_cause,
    units_that_mend,
)
from abalone_assets.survey.header import HeaderError, contract_layout, is_header, read_header
from abalone_assets.survey.opened import OpenedSurvey, open_survey
from abalone_assets.survey.parsed import ParsedSurvey, QuarantinedRow, UnreadableSurveyError
from abalone_assets.survey.records import without_empty_last_fields
from abalone_assets.survey.rules import SurveyRowError, check_units, in_other_units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abalone_assets.survey.dialect import Reading
    from abalone_assets.survey.header import Layout
    from abalone_assets.survey.opened import FieldReader
    from abalone_assets.survey.records import Record

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
_BLOCK_RECORDS: Final = 64  # small, as one bad record has its whole block read twice


def parse_survey(data: bytes, file: str, *, reading: Reading | None = None) -> ParsedSurvey:
    """Parse a survey file; every record ends as a row or in quarantine.

    Args:
        data: The file's content. An empty file is a survey of no rows.
        file: Its name, for messages and quarantined rows.
        reading: What is known of how to read it; None when it obeys the contract.

    Raises:
        UnreadableSurveyError: The content is too large, is not UTF-8 text, has NUL bytes, a quote
            that never closes, a field beyond the ``csv`` module's limit, another delimiter or a
            header that is not understood; or more than ``MAX_BAD_SHARE`` of its records are bad.
    """
    opened = open_survey(data, file, reading=reading)
    reader = _RecordReader(opened, opened.readers())
    columns: dict[str, list[str | float]] = {name: [] for name in opened.reading.names}
    lines: list[int] = []
    record_count = 0
    while block := list(islice(opened.records, _BLOCK_RECORDS)):
        record_count += len(block)
        accepted, values = reader.read_block(block)
        lines.extend(line for line, _, _ in accepted)
        for column, block_values in zip(columns.values(), values, strict=True):
            column.extend(block_values)
    _refuse_bad_file(opened, reader.quarantined, record_count)
    if opened.named.has_units:
        contradiction = contradicted_units(columns, opened.layout)
        if contradiction:
            raise UnreadableSurveyError(file, contradiction)
    mended = {kind: count for kind, count in reader.mended.items() if count}
    return ParsedSurvey(
        file,
        columns,
        lines,
        reader.quarantined,
        opened.has_header,
        record_count,
        mended,
        tuple(_notes(opened, mended)),
        opened.layout.told_units if opened.layout.has_units else None,
    )


def _refuse_bad_file(
    opened: OpenedSurvey, quarantined: Sequence[QuarantinedRow], record_count: int
) -> None:
    """Refuse a file when too many of its records are bad, or one cause spoils all of them.

    Empty records count for nothing.

    Raises:
        UnreadableSurveyError: With the reason behind most of them.
    """
    faults = [row for row in quarantined if not _is_empty(row, opened.reading)]
    if not faults:
        return
    count, judged = len(faults), record_count - (len(quarantined) - len(faults))
    bad = BadRecords.of(faults, opened.layout, opened.reading, count / judged)
    reason = None
    if count >= MIN_BAD_RECORDS and count > MAX_BAD_SHARE * judged:
        reason = (
            f"{count} of {judged} records break a rule of the survey contract, more than "
            f"{MAX_BAD_SHARE:.0%}: {likely_cause(bad, faults)}"
        )
    elif count == judged:
        reason = certain_cause(bad)
    if reason:
        units = None if opened.named.has_units else units_that_mend(bad)
        raise UnreadableSurveyError(opened.file, reason, quarantined, units)


def _is_empty(row: QuarantinedRow, reading: Reading) -> bool:
    """Whether a record holds nothing, as spreadsheets leave below a table, quoted or not."""
    return not row.raw.strip(f'{_BLANKS}{reading.delimiter}"')


def _notes(opened: OpenedSurvey, mended: Mapping[str, int]) -> Iterator[str]:
    """What whoever sent the file should know."""
    if opened.named.order != contract_layout(opened.reading.names).order:
        yield f"read in the order {opened.named.order}"
    if opened.layout.has_units:
        yield f"converted from {opened.layout.units_named}"
    if opened.layout.ignored:
        yield f"without {', '.join(opened.layout.ignored)}: no column of a survey"
    for kind, count in mended.items():
        yield f"{count} {'row' if count == 1 else 'rows'} {_MENDED_WORDS[kind]}"
    if opened.last_line:
        yield (
            f"the last line ({opened.last_line}) has no line ending: if the file was cut short, "
            "its last number may be too"
        )


@dataclass
class _RecordReader:
    """Reads records, and keeps those that are bad.

    Attributes:
        opened: The file that they are of.
        readers: For each of its columns, the function that reads a field.
        quarantined: The bad records so far.
        mended: How many rows so far were read as they were meant, by what was odd about them.
    """

    opened: OpenedSurvey
    readers: Sequence[FieldReader]
    quarantined: list[QuarantinedRow] = field(default_factory=list)
    mended: dict[str, int] = field(
        default_factory=lambda: {LOWER_CASE_SEX: 0, EMPTY_LAST_FIELDS: 0}
    )

    def read_block(self, block: list[Record]) -> tuple[list[Record], list[list[str | float]]]:
        """The accepted records and their values by column; the others are put in quarantine.

        Raises:
            UnreadableSurveyError: A record is another header.
        """
        try:
            # Nearly every block is clean, and by column it is read twice as fast.
            accepted, values = block, self._read_columns(block)
        except SurveyRowError:
            accepted, values = self._read_spoilt(block)
        at = self.opened.layout.positions[0]
        sexes = [fields[at] for _, fields, _ in accepted]
        if not _CANONICAL_SEXES.issuperset(sexes):
            self.mended[LOWER_CASE_SEX] += sum(sex.strip(_BLANKS).islower() for sex in sexes)
        return accepted, values

    def _read_spoilt(self, block: list[Record]) -> tuple[list[Record], list[list[str | float]]]:
        """As `read_block`, of records at least one of which is not as it should be."""
        width = self.opened.layout.width
        trimmed = [
            (line, without_empty_last_fields(fields, width), raw) for line, fields, raw in block
        ]
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

    def _read_columns(self, records: Sequence[Record]) -> list[list[str | float]]:
        """The canonical values of the records, by column.

        Raises:
            SurveyRowError: One of them is bad.
        """
        layout = self.opened.layout
        for _, fields, _ in records:
            if len(fields) != layout.width:
                raise _miscounted(fields, layout)
        if not records:
            return [[] for _ in self.readers]
        columns = list(zip(*(fields for _, fields, _ in records), strict=True))
        if layout.positions != tuple(range(layout.width)):
            columns = [columns[at] for at in layout.positions]
        values = [
            list(map(read, column)) for read, column in zip(self.readers, columns, strict=True)
        ]
        if layout.has_units:
            told = layout.told_units
            for length, weight in zip(values[_LENGTH], values[_WHOLE], strict=True):
                check_units(float(length), float(weight), told)
        return values

    def _quarantines(self, record: Record) -> bool:
        """Whether the record is bad; it is put in quarantine then."""
        line, fields, raw = record
        try:
            self._read_columns([record])
        except SurveyRowError as error:
            self._refuse_another_header(line, fields)
            broken = self._in_other_units(error, fields)
            row = QuarantinedRow(
                self.opened.file,
                line,
                broken.column,
                broken.rule,
                broken.message,
                raw.rstrip("\r\n"),
            )
            self.quarantined.append(row)
            return True
        return False

    def _in_other_units(self, error: SurveyRowError, fields: Sequence[str]) -> SurveyRowError:
        """The error, with the units that the record looks like."""
        layout = self.opened.layout
        if len(fields) != layout.width:
            return error
        values = [fields[at].replace(",", ".") for at in layout.positions[: len(FEATURES)]]
        return in_other_units(error, values, layout.told_units)

    def _refuse_another_header(self, line: int, fields: Sequence[str]) -> None:
        """Refuse a file in which other columns follow below another header.

        Raises:
            UnreadableSurveyError: The record is a header, and not the one that is obeyed.
        """
        if self.opened.reading.columns or not is_header(fields):
            return
        try:
            same = read_header(fields, self.opened.reading.names) == self.opened.named
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
