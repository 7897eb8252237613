"""The one parser of survey files: bytes in, canonical columns and quarantined rows out.

Fields are read by RFC 4180 with UTF-8 text, any line ending, an optional byte order mark, blank
lines and an optional header line. A record is rejected by the first rule it breaks; a file only
when it cannot be a survey at all.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, TypeAlias

from abalone_assets.errors import SurveyError
from abalone_assets.survey.columns import COLUMNS
from abalone_assets.survey.rules import FIELD_READERS, SurveyRowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAX_FILE_BYTES: Final = 64 * 2**20

_NAMES: Final = tuple(column.name for column in COLUMNS)
_OTHER_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
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
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


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
        columns: For each of the nine columns its values, all lists of one length.
        lines: The physical line, from 1, where each row starts.
        quarantined: The rejected records, in file order.
        header_line: Whether the first record was a header and skipped.
        record_count: Records that were read, neither blank nor the header; counted before they
            were judged, so that a record that got lost shows.
    """

    file: str
    columns: dict[str, list[_Value]]
    lines: list[int]
    quarantined: list[QuarantinedRow]
    header_line: bool
    record_count: int

    @property
    def row_count(self) -> int:
        """Rows that obey every hard rule."""
        return len(self.lines)


def parse_survey(data: bytes, file: str, *, max_bytes: int = MAX_FILE_BYTES) -> ParsedSurvey:
    """Parse a survey file; every record ends as a row or in quarantine.

    Args:
        data: The file's content. An empty file is a survey of no rows.
        file: Its name, for messages and quarantined rows.
        max_bytes: The largest content that is read.

    Raises:
        UnreadableSurveyError: The content is too large, is not UTF-8 text, has NUL bytes, a quote
            that never closes, a field beyond the ``csv`` module's limit, or another delimiter.
    """
    header_line, records = _split_header(_records(_decode(data, file, max_bytes), file))
    readers = [lru_cache(maxsize=_DISTINCT_READINGS)(read) for read in FIELD_READERS]
    columns: dict[str, list[_Value]] = {name: [] for name in _NAMES}
    lines: list[int] = []
    quarantined: list[QuarantinedRow] = []
    record_count = 0
    while block := list(islice(records, _BLOCK_RECORDS)):
        record_count += len(block)
        accepted, values = _read_block(block, readers, file, quarantined)
        lines.extend(record[0] for record in accepted)
        for column, block_values in zip(columns.values(), values, strict=True):
            column.extend(block_values)
    if not lines:
        _refuse_other_delimiter(quarantined, file)
    return ParsedSurvey(file, columns, lines, quarantined, header_line, record_count)


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


def _records(text: str, file: str) -> Iterator[_Record]:
    """Every record that is not blank."""
    stream = io.StringIO(text, newline="")  # keeps the line endings, and splits at each kind
    reader = csv.reader(stream, skipinitialspace=True, strict=True)
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


def _split_header(records: Iterator[_Record]) -> tuple[bool, Iterator[_Record]]:
    """Whether the first record is a header line, and the records without it."""
    first = next(records, None)
    if first is None:
        return False, records
    if tuple(field.strip().casefold().replace(" ", "_") for field in first[1]) == _NAMES:
        return True, records
    return False, chain([first], records)


def _read_block(
    block: list[_Record],
    readers: Sequence[_Reader],
    file: str,
    quarantined: list[QuarantinedRow],
) -> tuple[list[_Record], list[list[_Value]]]:
    """The accepted records and their values by column; the others are put in quarantine."""
    try:
        # Nearly every block is clean, and by column it is read twice as fast.
        return block, _read_columns(block, readers)
    except SurveyRowError:
        faults = [_fault(record, readers, file) for record in block]
    quarantined.extend(fault for fault in faults if fault is not None)
    accepted = [record for record, fault in zip(block, faults, strict=True) if fault is None]
    return accepted, _read_columns(accepted, readers)


def _read_columns(records: Sequence[_Record], readers: Sequence[_Reader]) -> list[list[_Value]]:
    for _, fields, _ in records:
        if len(fields) != len(readers):
            raise _miscounted(fields)
    if not records:
        return [[] for _ in readers]
    columns = zip(*(fields for _, fields, _ in records), strict=True)
    return [list(map(read, column)) for read, column in zip(readers, columns, strict=True)]


def _fault(record: _Record, readers: Sequence[_Reader], file: str) -> QuarantinedRow | None:
    """What is wrong with the record, if anything."""
    line, _, raw = record
    try:
        _read_columns([record], readers)
    except SurveyRowError as error:
        text = raw.rstrip("\r\n")
        return QuarantinedRow(file, line, error.column, error.rule, error.message, text)
    return None


def _miscounted(fields: Sequence[str]) -> SurveyRowError:
    if not fields:
        return SurveyRowError(
            None, "quoting", "text follows a closing quote; a comma or the line's end must"
        )
    found = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
    return SurveyRowError(
        None,
        "field_count",
        f"found {found}; expected {len(_NAMES)}: {', '.join(_NAMES)}",
    )


def _refuse_other_delimiter(quarantined: Sequence[QuarantinedRow], file: str) -> None:
    """Blame the delimiter when it explains why no record at all was accepted."""
    for delimiter, name in _OTHER_DELIMITERS.items():
        if quarantined and all(_is_delimited_by(delimiter, row.raw) for row in quarantined):
            raise UnreadableSurveyError(
                file, f"the fields are separated by {name}: export it with commas"
            )


def _is_delimited_by(delimiter: str, raw: str) -> bool:
    # Exports with semicolons often have decimal commas, which a comma reader takes for delimiters.
    count = raw.count(delimiter)
    return count == len(_NAMES) - 1 or (count > 0 and "," not in raw)
