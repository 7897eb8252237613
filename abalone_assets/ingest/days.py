"""Ingest survey days: parse every file of a day, keep the good rows, quarantine the others.

A file that is off as a whole is held: its good rows are neither kept nor quarantined, but counted.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Final

import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import quarantine_frame, survey_frame
from abalone_assets.ingest.held_files import Judge
from abalone_assets.ingest.synthetic_files import origin_of
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, day_digest
from abalone_assets.survey import (
    MAX_FILE_BYTES,
    ParsedSurvey,
    UnreadableSurveyError,
    parse_survey,
)
from abalone_assets.survey.origin import SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from abalone_assets.ingest.earlier import Earlier, EarlierFile
    from abalone_assets.ingest.landing_zone import LandedFile, LandingZone

PROGRESS_DAYS: Final = 100
PARALLEL_DAYS: Final = 8
"""Days that are read at once: reading from S3 is waiting."""


@dataclass(frozen=True)
class ParsedDay:
    """One survey day, parsed.

    Attributes:
        rows: The rows that obey the contract, but for those of held files.
        quarantined: The rows that do not.
        records: How many records its files hold, counted before they were judged.
        entry: What the manifest will say of it.
    """

    rows: pl.DataFrame
    quarantined: pl.DataFrame
    records: int
    entry: IngestedDay

    @property
    def is_remarkable(self) -> bool:
        """Whether there is more to say of it than how many rows it has."""
        return bool(self.entry.remarked_files or len(self.quarantined))


@dataclass(frozen=True)
class _ReadDay:
    """One survey day, read, before it is made into frames.

    Attributes:
        surveys: Its files that are surveys.
        kept: What is kept of before.
        entry: What the manifest will say of it.
    """

    surveys: list[ParsedSurvey]
    kept: list[EarlierFile]
    entry: IngestedDay

    @property
    def good(self) -> list[ParsedSurvey]:
        """The surveys whose rows count: those that are not held."""
        held = self.entry.held_files
        return [survey for survey in self.surveys if survey.file not in held]


@dataclass(frozen=True)
class _DayReader:
    """Reads the files of survey days.

    Attributes:
        zone: Where they lie.
        synthetic: SHA-256 of every simulated survey file.
        judge: Says which files are held.
        earlier: What the lake holds of these days.
    """

    zone: LandingZone
    synthetic: Collection[str]
    judge: Judge
    earlier: Earlier | None

    def read(self, day: str, files: Sequence[LandedFile]) -> _ReadDay:
        """Read the files of one day; a day without files holds nothing.

        A file that is no survey at all, cannot be read, or is held, adds no rows; its entry says
        why. One that cannot be read now, or is still being written, keeps what was read of it
        before; so do those that are gone from their day as if the landing zone had gone away.
        """
        surveys: list[ParsedSurvey] = []
        landed = {file.name for file in files}
        missing = self.earlier.missing_files(day) if self.earlier else ()
        kept = [self._as_known(each) for each in missing if each.entry.name not in landed]
        entries = [before.entry for before in kept]
        for file in files:
            growing = self.earlier is not None and self.earlier.is_growing(day, file)
            survey, parsed = (None, None) if growing else self._parse(file)
            before = None
            if self.earlier is not None and (parsed is None or not parsed.e_tag):
                before = self.earlier.file(day, file.name)
            if before is not None:
                before = self._as_known(before)
                kept.append(before)
                unread = parsed or before.entry  # one that could not be read has no token
                parsed = replace(before.entry, e_tag=unread.e_tag, problem=unread.problem)
            if parsed is not None:
                entries.append(parsed)
            if survey is not None:
                surveys.append(survey)
        entry = IngestedDay(day_digest(entries), tuple(entries), self.judge.name)
        return _ReadDay(surveys, kept, entry)

    def _as_known(self, before: EarlierFile) -> EarlierFile:
        """What is kept of a file: as a simulation, if somebody has told since that it is one."""
        if before.entry.sha256 not in self.synthetic:
            return before
        rows = before.rows.with_columns(pl.lit(SYNTHETIC).alias("origin"))
        return replace(before, entry=replace(before.entry, origin=SYNTHETIC), rows=rows)

    def _parse(self, file: LandedFile) -> tuple[ParsedSurvey | None, IngestedFile]:
        """The survey in a file, if it is one, and what the manifest will say of the file."""
        if file.size > MAX_FILE_BYTES:
            problem = f"{file.size} bytes are more than the {MAX_FILE_BYTES} that a survey may have"
            return None, IngestedFile.left_unread(file.name, file.size, file.e_tag, problem)
        try:
            data = self.zone.read(file.name)
        except StorageError as error:
            return None, IngestedFile.out_of_reach(file.name, file.size, str(error))
        sha256 = hashlib.sha256(data).hexdigest()
        origin = origin_of(sha256, self.synthetic)
        entry = IngestedFile(file.name, len(data), file.e_tag, sha256, origin=origin)
        try:
            survey = parse_survey(data, file.name)
        except UnreadableSurveyError as error:
            return None, replace(entry, problem=error.reason)
        return survey, self.judge.judge(survey, replace(entry, notes=survey.notes))


def _with_frames(days: Sequence[_ReadDay]) -> list[ParsedDay]:
    """The days with their rows, which are slices of one frame: to make a frame takes long."""
    origins = {file.name: file.origin for day in days for file in day.entry.files}
    rows = survey_frame(chain.from_iterable(day.good for day in days), origins=origins)
    quarantined = quarantine_frame(chain.from_iterable(day.surveys for day in days))
    parsed, row, bad = list[ParsedDay](), 0, 0
    for day in days:
        count = sum(survey.row_count for survey in day.good)
        refused = sum(len(survey.quarantined) for survey in day.surveys)
        records = sum(survey.record_count for survey in day.surveys)
        records += sum(
            len(before.rows) + len(before.quarantined) + before.entry.held_rows
            for before in day.kept
        )
        parsed.append(
            ParsedDay(
                _in_order(rows[row : row + count], [each.rows for each in day.kept]),
                _in_order(quarantined[bad : bad + refused], [e.quarantined for e in day.kept]),
                records,
                day.entry,
            )
        )
        row, bad = row + count, bad + refused
    return parsed


def _in_order(parsed: pl.DataFrame, kept: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of all files of a day, in the order of the files."""
    if not kept:
        return parsed
    return pl.concat([parsed, *kept]).sort("source_file", maintain_order=True)


@dataclass(frozen=True)
class ParsedDays:
    """Several survey days, parsed, by ISO date."""

    days: Mapping[str, ParsedDay]

    @property
    def rows(self) -> dict[str, pl.DataFrame]:
        """The good rows of each day."""
        return {day: parsed.rows for day, parsed in self.days.items()}

    @property
    def quarantined(self) -> dict[str, pl.DataFrame]:
        """The quarantined rows of each day."""
        return {day: parsed.quarantined for day, parsed in self.days.items()}

    @property
    def entries(self) -> dict[str, IngestedDay]:
        """What the manifest will say of each day."""
        return {day: parsed.entry for day, parsed in self.days.items()}

    @property
    def files(self) -> int:
        """Files of all days."""
        return sum(len(parsed.entry.files) for parsed in self.days.values())

    @property
    def held_rows(self) -> int:
        """Rows of the held files of all days."""
        return sum(entry.held_rows for entry in self.entries.values())

    @property
    def records(self) -> int:
        """Records in the files of all days."""
        return sum(parsed.records for parsed in self.days.values())


def parse_days(
    zone: LandingZone,
    days: Sequence[str],
    report: Callable[[str], None] = lambda _: None,
    *,
    synthetic: Callable[[], Collection[str]] = frozenset,
    judge: Judge = Judge(),  # noqa: B008 - immutable
    earlier: Earlier | None = None,
) -> ParsedDays:
    """Parse every file of the given days, which must be in order and without gaps.

    Args:
        zone: Where the files lie.
        days: ISO dates of the partitions.
        report: Told now and then how far it has come.
        synthetic: Gives the SHA-256 of every simulated survey file. It is asked after the landing
            zone: a simulation is recorded before it lands, so none that is seen is missed.
        judge: Says which files are held.
        earlier: What the lake holds of these days, for files that cannot be read now.

    Raises:
        StorageError: The landing zone cannot be listed.
    """
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    landing = zone.scan(first, last, since=first)
    reader = _DayReader(zone, synthetic(), judge, earlier)

    def read(day: str) -> _ReadDay:
        return reader.read(day, landing.days.get(day, ()))

    parsed: dict[str, ParsedDay] = {}
    pool = ThreadPoolExecutor(PARALLEL_DAYS)
    try:
        for begin in range(0, len(days), PROGRESS_DAYS):
            names = days[begin : begin + PROGRESS_DAYS]
            parsed |= zip(names, _with_frames(list(pool.map(read, names))), strict=True)
            if len(names) == PROGRESS_DAYS:
                report(f"parsed {len(parsed)} of {len(days)} survey days, up to {names[-1]}")
    finally:
        pool.shutdown(cancel_futures=True)
    return ParsedDays(parsed)
