"""What parsing a survey file gives: rows and quarantined records, or why it is no survey."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abalone_assets.errors import SurveyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abalone_assets.survey.units import Units


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
    columns: dict[str, list[str | float]]
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
