"""The text of a survey file, and its records.

Fields are read by RFC 4180 with UTF-8 text, any line ending, an optional byte order mark and blank
lines.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final, TypeAlias

from abalone_assets.survey.parsed import UnreadableSurveyError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_BYTES: Final = 64 * 2**20

_BLANKS: Final = " \t"
_SHOWN_CHARACTERS: Final = 60

Record: TypeAlias = "tuple[int, list[str], str]"
"""First line, fields (none when the quotes are malformed) and raw text with its line ending."""


def decoded(data: bytes, file: str) -> str:
    """The file's text.

    Raises:
        UnreadableSurveyError: It is too large, has a NUL byte or is no UTF-8.
    """
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableSurveyError(
            file, f"{len(data):,} bytes are above the limit of {MAX_FILE_BYTES:,}: split the survey"
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


def records_of(text: str, file: str, delimiter: str) -> Iterator[Record]:
    """Every record that is not blank, as it is asked for.

    Raises:
        UnreadableSurveyError: A quote is never closed, or a field is beyond the ``csv`` module's
            limit.
    """
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


def cut_off_line(text: str) -> str:
    """What follows the last line ending, if anything, shortened."""
    start = max(text.rfind("\n"), text.rfind("\r")) + 1
    return text[start:].strip()[-_SHOWN_CHARACTERS:]


def without_empty_last_fields(fields: list[str], width: int) -> list[str]:
    """The fields without those beyond the width, if all of these are empty."""
    if len(fields) > width and not "".join(fields[width:]).strip(_BLANKS):
        return fields[:width]
    return fields
