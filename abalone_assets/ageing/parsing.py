"""Files of animals without rings: eight columns a line, read some ten thousand lines at a time.

They obey the survey contract but for the rings, header and units included. A record that breaks a
rule is put in quarantine, as of a survey; a file is refused that is something else as a whole.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO

import numpy as np

from abalone_assets.ageing.blocks import Block, one_block
from abalone_assets.ageing.clean_lines import clean_lines
from abalone_assets.ageing.diagnosis import SAMPLE, known_cause
from abalone_assets.ageing.record_reader import is_contracted, notes_of, record_reader
from abalone_assets.survey import (
    ANIMALS,
    FEATURES,
    MAX_BAD_SHARE,
    MIN_BAD_RECORDS,
    SURVEYS,
    QuarantinedRow,
    SurveyRowError,
    UnreadableSurveyError,
)
from abalone_assets.survey.diagnosis import is_surveyed
from abalone_assets.survey.dialect import without_separator_line
from abalone_assets.survey.header import HeaderError, Layout, is_header, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from abalone_assets.ageing.record_reader import Read, Values
    from abalone_assets.survey.units import Units

BLOCK_CHARACTERS: Final = 2**19
"""Some ten thousand animals: enough for columns to be quick, and little to hold."""

FEW_LINES: Final = 64
"""A number that is out of bounds has so many records read one by one, ten times as slowly."""

_ODD_LINE: Final = re.compile(
    r"^(?![MFI](?:,[0-9]+(?:\.[0-9]+)?){7}(?:\n|\Z))(?:.*\n|.+\Z)", re.MULTILINE
)
"""What is no sex and seven plain decimal numbers."""

_REMEDY: Final = "correct the names, or take the header off"


@dataclass
class AnimalsFile:
    """A file of animals without rings, as far as it has been read.

    Attributes:
        path: Its copy on this machine.
        name: Its name, for messages and quarantined rows.
        rows: Animals so far.
        notes: What whoever sent it should know, a sentence each.
    """

    path: Path
    name: str
    rows: int = 0
    notes: tuple[str, ...] = ()
    _bad: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    _examples: dict[tuple[str | None, str], str] = field(default_factory=dict)
    _surveyed: int = 0
    """Bad records that are rows of a survey."""
    _looks_like: Counter[Units] = field(default_factory=Counter)
    """The units of bad records that clearly are in others than told."""
    _raws: list[str] = field(default_factory=list)
    """The text of the first bad records."""
    _line: int = 1

    @property
    def quarantined(self) -> int:
        """Records that broke a rule so far."""
        return self._bad.total()

    @property
    def records(self) -> int:
        """Records that were read, neither blank nor the header."""
        return self.rows + self.quarantined

    def blocks(self) -> Iterator[Block]:
        """The records; the file is to be believed only once all of them were read.

        Raises:
            UnreadableSurveyError: It is not UTF-8 text, has a quote that never closes or a header
                that is not understood, it is a survey, or more than ``MAX_BAD_SHARE`` of its
                records are bad.
        """
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as stream:
                layout = self._read_header(stream)
                while text := stream.read(BLOCK_CHARACTERS) + stream.readline():
                    block = self._read_any(text, stream, layout)
                    self.rows += len(block.lines)
                    yield block
        except UnicodeDecodeError as error:
            raise self._refused("it is not UTF-8 text: export it as UTF-8 CSV") from error
        self._refuse_bad_file()

    def _refused(self, reason: str) -> UnreadableSurveyError:
        return UnreadableSurveyError(self.name, reason)

    def _read_header(self, stream: TextIO) -> Layout | None:
        """What a header tells, if it is another layout than the contract's; it is passed over.

        Blank lines may come before it, and the line by which spreadsheets tell the delimiter.
        """
        first = stream.readline()
        if without_separator_line(first) != first:
            self._line += 1
        else:
            stream.seek(0)
        start, taken = stream.tell(), list[str]()

        def lines() -> Iterator[str]:
            while line := stream.readline():
                taken.append(line)
                yield line

        records = csv.reader(lines(), skipinitialspace=True)
        try:
            fields = next((record for record in records if any(map(str.strip, record))), [])
        except csv.Error:  # which is told when that record is read
            fields = []
        if not is_header(fields):
            stream.seek(start)
            return None
        self._line += len(taken)
        if _names_a_survey(fields):
            raise self._refused(_a_survey(self.name))
        try:
            layout = read_header(fields, FEATURES, remedy=_REMEDY)
        except HeaderError as error:
            raise self._refused(str(error)) from error
        if is_contracted(layout):
            return None
        self.notes = notes_of(layout)
        return layout

    def _read_any(self, text: str, stream: TextIO, layout: Layout | None) -> Block:
        """Any records: by column where they look clean, and else one by one.

        One with a line break in quotes may go on behind the text.
        """
        read, found = record_reader(layout), list[Block]()
        if layout is not None or '"' in text or "\r" in text.replace("\r\n", ""):
            return self._read_one_by_one(_lines_of(text), stream, read)
        text, start = text.replace("\r\n", "\n"), 0
        block = self._read_clean(text, stream, read)
        if block is not None:
            return block
        for odd in _ODD_LINE.finditer(text):
            found += self._read_looking_clean(text[start : odd.start()], stream, read)
            found.append(self._read_one_by_one([odd.group()], stream, read))
            start = odd.end()
        found += self._read_looking_clean(text[start:], stream, read)
        return one_block(found)

    def _read_clean(self, text: str, stream: TextIO, read: Read) -> Block | None:
        """Clean lines by column, the others one by one; None when it is not as simple as that."""
        clean = clean_lines(text)
        if clean is None:
            return None
        if len(clean.odd) > len(clean.places):
            return self._read_one_by_one(_lines_of(text), stream, read)
        first = self._line
        found = [Block(clean.columns, np.add(first, clean.places))]
        for at, line in clean.odd:
            self._line = first + at
            found.append(self._read_one_by_one([line], stream, read))
        self._line = first + len(clean.places) + len(clean.odd)
        return one_block(found)

    def _read_looking_clean(self, text: str, stream: TextIO, read: Read) -> Iterator[Block]:
        """By column, but for the few records around one whose number is out of bounds."""
        if not text:
            return
        block = self._read_clean(text, stream, read)
        if block is not None:
            yield block
            return
        lines = _lines_of(text)
        for start in range(0, len(lines), FEW_LINES):
            few = lines[start : start + FEW_LINES]
            block = self._read_clean("".join(few), stream, read) if len(lines) > FEW_LINES else None
            yield block or self._read_one_by_one(few, stream, read)

    def _read_one_by_one(self, lines: list[str], stream: TextIO, read: Read) -> Block:
        rows: list[Values] = []
        numbers: list[int] = []
        bad: list[QuarantinedRow] = []
        for line, fields, raw in self._records(lines, stream):
            try:
                rows.append(read(fields))
            except SurveyRowError as error:
                bad.append(self._quarantined(line, fields, raw, error))
            else:
                numbers.append(line)
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(FEATURES)
        return Block(columns, np.array(numbers, dtype=np.int64), bad)

    def _records(self, lines: list[str], stream: TextIO) -> Iterator[tuple[int, list[str], str]]:
        """First line, fields (none when the quotes are malformed) and text of each record.

        Args:
            lines: Where the records begin.
            stream: What follows; a record that goes on takes lines from it.
        """
        left = lines[::-1]
        taken: list[str] = []

        def pull() -> Iterator[str]:
            while line := left.pop() if left else stream.readline():
                taken.append(line)
                yield line

        reader = csv.reader(pull(), skipinitialspace=True, strict=True)
        while left:
            taken.clear()
            try:
                fields = next(reader)
            except csv.Error as error:
                if "expected after" not in str(error):  # as opposed to text behind a closing quote
                    raise self._refused(
                        f"a quote that opens at line {self._line} is never closed, or a field there"
                        f" is too long ({error}): remove or close the quote"
                    ) from error
                fields = []
            raw, line = "".join(taken), self._line
            self._line += len(taken)
            if len(fields) > 1 or (raw and not raw.isspace()):
                yield line, fields, raw.rstrip("\r\n")

    def _quarantined(
        self, line: int, fields: Sequence[str], raw: str, error: SurveyRowError
    ) -> QuarantinedRow:
        broken = (error.column, error.rule)
        self._bad[broken] += 1
        self._examples.setdefault(broken, f"line {line}: {error.message}")
        self._surveyed += error.rule == "field_count" and is_surveyed(fields)
        if error.looks_like is not None:
            self._looks_like[error.looks_like] += 1
        if len(self._raws) < SAMPLE:
            self._raws.append(raw)
        return QuarantinedRow(self.name, line, error.column, error.rule, error.message, raw)

    def _refuse_bad_file(self) -> None:
        """Refuse a survey, and a file of which too many records are bad.

        Raises:
            UnreadableSurveyError: It is one.
        """
        if self._surveyed and self._surveyed > MAX_BAD_SHARE * self.records:
            raise self._refused(_a_survey(self.name))
        bad = self.quarantined
        if bad >= MIN_BAD_RECORDS and bad > MAX_BAD_SHARE * self.records:
            raise self._refused(
                f"{bad} of {self.records} records break a rule, more than {MAX_BAD_SHARE:.0%}: "
                f"{self._likely_cause()}"
            )

    def _likely_cause(self) -> str:
        """The reason behind most of the bad records; without one, the rule that is broken most."""
        known = known_cause(self._raws, self._looks_like, self.quarantined)
        if known:
            return known
        ((broken, count),) = self._bad.most_common(1)
        example = self._examples[broken]
        return f"the rule broken most is {broken[1]} ({count} times), as in {example}"


def _a_survey(name: str) -> str:
    named = SURVEYS.prefix + name.removeprefix(ANIMALS.prefix)
    return (
        f"it has nine columns, with counted rings, so it is a survey: call it {named} "
        f"({SURVEYS.form}); {ANIMALS.form} is for animals whose rings nobody counted"
    )


def _names_a_survey(header: Sequence[str]) -> bool:
    try:
        read_header(header)
    except HeaderError:
        return False
    return True


def _lines_of(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))
