"""Simulated survey files: as crews write them, recorded as simulations before anybody sees them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from abalone_assets import survey
from abalone_assets.errors import SurveyError
from abalone_assets.ingest.synthetic_files import (
    SyntheticFile,
    record_synthetic_file,
    synthetic_files,
)
from abalone_assets.survey import survey_file_name
from abalone_assets.synthesis import MAX_ROWS, SynthesisError
from abalone_assets.synthesis.contract import SimulatedRows, simulate

if TYPE_CHECKING:
    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.modeling.features import Columns
    from abalone_assets.storage.object_store import ObjectStore
    from abalone_assets.synthesis.synthesizer import FitFacts, Synthesizer

Outcome = Literal["landed", "replaced", "identical"]


@dataclass(frozen=True)
class SimulatedSurvey:
    """A survey file that no crew wrote.

    Attributes:
        name: As crews call theirs.
        simulated: Its rows.
        seed: That its rows were drawn with.
        facts: Of the synthesizer that drew them.
    """

    name: str
    simulated: SimulatedRows
    seed: int
    facts: FitFacts

    @cached_property
    def data(self) -> bytes:
        """The file's bytes."""
        return survey_text(self.simulated.columns)

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the bytes, by which the file stays known as a simulation."""
        return hashlib.sha256(self.data).hexdigest()


def simulate_survey(
    synthesizer: Synthesizer, rows: int, time: datetime, seed: int | None, real: Columns
) -> SimulatedSurvey:
    """Draw a survey of some rows.

    Args:
        synthesizer: What draws them.
        rows: How many.
        time: Of the survey, which names the file.
        seed: The same seed gives the same rows whatever the time; None takes one from the time, so
            that every survey has animals of its own.
        real: All real rows; none of them is repeated.

    Raises:
        SynthesisError: The number of rows is out of range, or too few of those drawn obey the
            survey contract.
    """
    if not 1 <= rows <= MAX_ROWS:
        raise SynthesisError(f"cannot simulate {rows} rows: ask for 1 to {MAX_ROWS:,}")
    name = survey_file_name(time)
    chosen = int(name.rpartition(".")[2]) if seed is None else seed
    drawn = simulate(synthesizer, rows, np.random.default_rng(chosen), real)
    return SimulatedSurvey(name, drawn, chosen, synthesizer.facts)


def survey_text(columns: Columns) -> bytes:
    """Rows as a survey file: numbers as in the UCI file, no header line, LF line ends."""
    fields = [
        [str(value) for value in columns["sex"]],
        *([_shortest(value) for value in columns[name]] for name in survey.MEASUREMENTS),
        [str(int(value)) for value in columns[survey.TARGET]],
    ]
    return "".join(f"{','.join(row)}\n" for row in zip(*fields, strict=True)).encode()


def survey_moment(text: str) -> datetime:
    """The time of a survey from a day, 2025-09-01, or an ISO time; UTC when it has no zone.

    Raises:
        SynthesisError: It is neither.
    """
    try:
        return survey.parse_time(text)
    except SurveyError as error:
        raise SynthesisError(
            f"{text!r} is no date or time: write 2025-09-01 or 2025-09-01T06:15:00 (UTC)"
        ) from error


def refuse_day(time: datetime, first_day: date) -> None:
    """Make sure that ingestion takes a survey of this time in.

    Raises:
        SynthesisError: Its day is before the first partition, or in the future.
    """
    day, today = time.astimezone(UTC).date(), datetime.now(UTC).date()
    if not first_day <= day <= today:
        raise SynthesisError(
            f"a survey of {day} cannot land: choose a day from {first_day} "
            f"(ABALONE_FIRST_SURVEY_DAY) to {today}, today in UTC"
        )


def refuse_surveyed_file(name: str, zone: LandingZone, store: ObjectStore) -> None:
    """Make sure that no file lies under a name that the lake does not know as simulated.

    Raises:
        SynthesisError: One does; nothing brings a survey back that was written over.
        StorageError: The lake or the landing zone cannot be read.
    """
    there = _read_if_there(name, zone)
    if there is not None and hashlib.sha256(there).hexdigest() not in synthetic_files(store):
        raise SynthesisError(
            f"{name} lies in {zone.uri} and is not known as simulated: a simulation never replaces "
            "a surveyed file, not even with --force; choose another time, or write the simulation "
            "to another folder and replace the survey on purpose by `abalone land --force`"
        )


def land(
    simulated: SimulatedSurvey, zone: LandingZone, store: ObjectStore, *, replace: bool = False
) -> Outcome:
    """Record that the file is a simulation, then put it where crews put theirs.

    In this order, so that nobody can ingest it for a survey. The same file again changes nothing;
    with ``replace``, a simulated file of its name with another content makes way.

    Raises:
        SynthesisError: Such a file lies there and is not to be replaced, or it is no simulation.
        StorageError: The lake or the landing zone cannot be read or written.
    """
    there = _read_if_there(simulated.name, zone)
    if there is not None and there != simulated.data:
        refuse_surveyed_file(simulated.name, zone, store)
        if not replace:
            raise SynthesisError(
                f"{simulated.name} lies in {zone.uri} with another content: choose another time, "
                "or replace it by `abalone synthesize --force`"
            )
    facts = simulated.facts
    record_synthetic_file(
        store,
        simulated.sha256,
        SyntheticFile(
            name=simulated.name,
            rows=simulated.simulated.rows,
            recipe=facts.recipe,
            seed=simulated.seed,
            data_version=facts.rows_sha256,
        ),
    )
    if there == simulated.data:
        return "identical"
    try:
        zone.land(simulated.name, simulated.data, replace=there is not None)
    except FileExistsError as error:
        raise SynthesisError(
            f"{simulated.name} has just landed in {zone.uri}: choose another time"
        ) from error
    return "landed" if there is None else "replaced"


def _read_if_there(name: str, zone: LandingZone) -> bytes | None:
    there = any(file.name == name for file in zone.list_day(survey.survey_day(name)))
    return zone.read(name) if there else None


def _shortest(value: float) -> str:
    """As the UCI file has it: ``0.455``, ``0.35``, ``1``."""
    return f"{value:.{survey.MEASUREMENT_DECIMALS}f}".rstrip("0").rstrip(".")
