"""Read a file as a person gives it: as the survey contract has it, as it says itself, or as told.

What cannot be certain is not guessed but said: the units that its numbers look like, and why its
rows are not to be trusted.
"""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.held_files import Judge
from abalone_assets.ingest.synthetic_files import origin_of, synthetic_files
from abalone_assets.lake.manifest import IngestedFile
from abalone_assets.survey import (
    FEATURES,
    SURVEYS,
    ParsedSurvey,
    QuarantinedRow,
    Reading,
    UnreadableSurveyError,
    canonical_survey,
    kind_of_file,
    parse_survey,
)
from abalone_assets.survey.diagnosis import looks_like
from abalone_assets.survey.dialect import DELIMITERS, guess_decimal, guess_delimiter
from abalone_assets.survey.units import CONTRACT_UNITS, Units

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from abalone_assets.lake.lake import Lake


@dataclass(frozen=True)
class Options:
    """What the user says of the files; None and empty where the files are asked.

    Attributes:
        units: Of the measurements.
        columns: The columns' names in the order of the fields.
        delimiter: Between the fields.
        decimal: The decimal mark.
    """

    units: Units | None = None
    columns: tuple[str, ...] = ()
    delimiter: str | None = None
    decimal: str | None = None


@dataclass(frozen=True)
class Verdicts:
    """By what ingestion will judge whole files.

    Attributes:
        judge: Of the base survey in the lake; else, of the profile that is shipped.
        synthetic: SHA-256 of the simulated files, which are not judged.
    """

    judge: Judge = field(default_factory=Judge)
    synthetic: Collection[str] = frozenset()

    @classmethod
    def of(cls, lake: Lake) -> Self:
        """Those of the lake as it is now.

        Raises:
            StorageError: It cannot be read.
        """
        return cls(Judge.of(lake), synthetic_files(lake.store).keys())

    def held(self, survey: ParsedSurvey, data: bytes) -> str | None:
        """Why ingestion will hold the survey in this file, if it will."""
        sha256 = hashlib.sha256(data).hexdigest()
        origin = origin_of(sha256, self.synthetic)
        file = IngestedFile(survey.file, len(data), "", sha256, origin=origin)
        return self.judge.judge(survey, file).held

    def accepts(self, contents: Sequence[bytes]) -> bool:
        """Whether a person accepted a file with one of these contents."""
        digests = {hashlib.sha256(content).hexdigest() for content in contents}
        return bool(digests.intersection(self.judge.accepted))


@dataclass(frozen=True)
class ReadFile:
    """A file as it was read.

    Attributes:
        data: Its bytes as they will lie in the landing zone: the given ones, or the same survey
            made canonical.
        survey: What ingestion will make of it, or None when it can make nothing of it.
        problem: Why not, or None.
        notes: How it was understood, what was mended and what is odd, a sentence each.
        looks_like: The units that its numbers look like; None when it is not clear.
        doubt: Why its rows are not to be trusted, or None.
        doubted_units: The units that would read them, if it is their units that are in doubt.
        held: Why ingestion will hold it, unless it is accepted already, or None.
        same: The contents that ingestion reads as this survey.
        bad_rows: Its records that break a rule, also where it is refused for them.
        reading: By what it was read.
    """

    data: bytes
    survey: ParsedSurvey | None = None
    problem: str | None = None
    notes: tuple[str, ...] = ()
    looks_like: Units | None = None
    doubt: str | None = None
    doubted_units: Units | None = None
    held: str | None = None
    same: tuple[bytes, ...] = ()
    bad_rows: tuple[QuarantinedRow, ...] = ()
    reading: Reading = field(default_factory=Reading)


def read_file(data: bytes, name: str, options: Options, verdicts: Verdicts) -> ReadFile:
    """Read a file as the options say, or else as it says itself; what lands is canonical.

    A file that obeys the contract, apart from bad rows, keeps its bytes. One of animals whose rings
    nobody counted obeys it but for these, and is never held.
    """
    text, is_survey = as_utf8(data), kind_of_file(name) is SURVEYS
    contract = Reading(rings=is_survey)
    reading = replace(
        contract,
        delimiter=options.delimiter or ",",
        decimal=options.decimal or ".",
        columns=options.columns,
        units=options.units,
    )
    try:
        reading, survey = _understood(text, name, reading, options)
        if survey is None:
            survey = parse_survey(text, name, reading=reading)
        obeys = text == data and reading == contract
        canonical = data
        if not obeys or survey.header_line or survey.mended:
            canonical = canonical_survey(text, name, reading=reading)
    except UnreadableSurveyError as error:
        return ReadFile(
            data,
            problem=error.reason,
            looks_like=error.looks_like,
            same=(data,),
            doubted_units=error.looks_like,
            bad_rows=error.bad_rows,
            reading=reading,
        )
    except SurveyError as error:
        return ReadFile(data, problem=str(error), same=(data,), reading=reading)
    told = survey.units or CONTRACT_UNITS
    units = looks_like(survey.columns, told)
    held = verdicts.held(survey, canonical) if is_survey else None
    if held and units != told and not _is_plausible(text, name, reading, units, verdicts):
        units = None
    read = ReadFile(
        canonical,
        survey,
        notes=(*_text_notes(data, text, reading), *survey.notes),
        looks_like=units,
        held=held,
        same=(canonical, data) if obeys else (canonical,),
        bad_rows=tuple(survey.quarantined),
        reading=reading,
    )
    if units is not None and units != told and not verdicts.accepts(read.same):
        doubt = f"its numbers look like {units.words}, not like {told.words}"
        return replace(read, doubt=doubt, doubted_units=units)
    if not survey.row_count:
        bad = survey.quarantined
        why = bad[0].message if bad else "there is no row in it"
        return replace(read, doubt=f"ingestion would use none of it: {why}")
    return read


def _understood(
    text: bytes, name: str, asked: Reading, options: Options
) -> tuple[Reading, ParsedSurvey | None]:
    """As what a file can be read, and the survey in it, where that was parsed on the way."""
    try:
        return asked, parse_survey(text, name, reading=asked)
    except UnreadableSurveyError:
        return _guessed(text, asked, options), None


def _is_plausible(
    data: bytes, name: str, reading: Reading, units: Units | None, verdicts: Verdicts
) -> bool:
    """Whether these units would mend a file; other errors, such as swapped columns, look so too."""
    try:
        mended = parse_survey(data, name, reading=replace(reading, units=units))
    except SurveyError:
        return False
    return verdicts.held(mended, data) is None


def as_utf8(data: bytes) -> bytes:
    """The text in UTF-8, if a byte order mark says that it is in UTF-16, as spreadsheets write."""
    if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data
    try:
        return data.decode("utf-16").encode()
    except UnicodeError:
        return data


def _guessed(data: bytes, reading: Reading, options: Options) -> Reading:
    """The reading with the delimiter and decimal mark that the file has by all appearance.

    Raises:
        SurveyError: The decimal mark is not certain.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return reading
    widths = (len(reading.names), len(FEATURES))  # a survey may turn out to have no rings
    guesses = (guess_delimiter(text, width) for width in widths)
    delimiter = options.delimiter or next(filter(None, guesses), ",")
    decimal = options.decimal or guess_decimal(text, delimiter)
    return replace(reading, delimiter=delimiter, decimal=decimal)


def _text_notes(data: bytes, text: bytes, reading: Reading) -> Iterator[str]:
    """How its text was written, where that is not as in the contract."""
    if text != data:
        yield "it was written in UTF-16"
    if reading.delimiter != ",":
        yield f"its fields are separated by {DELIMITERS[reading.delimiter]}"
    if reading.decimal == ",":
        yield "its numbers have decimal commas"
