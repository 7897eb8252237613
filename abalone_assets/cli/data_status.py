"""What `abalone status` tells of data: what the lake holds, and what was put aside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from abalone_assets.errors import StorageError
from abalone_assets.ingest.landing_zone import Landing
from abalone_assets.ingest.memory import ANIMALS_MEMORY_KEY, read_memory
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.animals import Animals
from abalone_assets.local.instance import has_own_landing_zone
from abalone_assets.survey import ANIMALS, SURVEYS, FileKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.ingest.memory import Memory, Patience
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedFile, Manifest
    from abalone_assets.settings.platform import Settings

NEWEST: Final = 5
"""Quarantined rows that are shown."""


@dataclass(frozen=True)
class Quarantine:
    """The quarantined rows of the survey days: how many broke each rule, and the newest few.

    These have a ``file``, ``line``, ``column``, ``rule`` and ``message``.
    """

    by_rule: dict[str, int]
    newest: list[dict[str, Any]]

    @classmethod
    def of(cls, lake: Lake, manifest: Manifest) -> Self:
        """Read the days that have any.

        Raises:
            StorageError: A day's rows cannot be read.
        """
        days = [day for day, entry in sorted(manifest.days.items()) if entry.quarantined]
        if not days:
            return cls({}, [])
        import polars as pl

        try:
            rows = pl.scan_parquet([lake.uri("quarantined_rows", day) for day in days], glob=False)
            counted = rows.group_by("rule").len().sort("len", "rule", descending=[True, False])
            newest = rows.tail(NEWEST).select(
                pl.col("source_file").alias("file"), "line", "column", "rule", "message"
            )
            return cls(dict(counted.collect().iter_rows()), newest.collect().to_dicts())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StorageError(
                f"quarantined_rows cannot be read; ingest its days again: {error}"
            ) from error


@dataclass(frozen=True)
class Totals:
    """What the lake has ingested.

    Attributes:
        days: Survey days with files.
        files: Their files.
        unreadable_files: Of these, files that are no survey, or cannot be read now.
        held_files: Of these, files that are held: off as a whole, and not accepted.
        held_rows: Their rows, which are in no table.
        rows: Rows in ``new_surveys``.
        quarantined: Rows in ``quarantined_rows``.
        base_survey: Where ``raw_abalone`` came from, or None before it was made.
        base_rows: Its rows.
        base_quarantined: Its quarantined rows.
    """

    days: int
    files: int
    unreadable_files: int
    rows: int
    quarantined: int
    base_survey: str | None
    base_rows: int
    base_quarantined: int
    held_files: int = 0
    held_rows: int = 0

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Add up the manifest."""
        days = [day for day in manifest.days.values() if day.files]
        raw = manifest.raw
        return cls(
            days=len(days),
            files=sum(len(day.files) for day in days),
            unreadable_files=sum(file.problem is not None for day in days for file in day.files),
            rows=sum(day.rows for day in days),
            quarantined=sum(day.quarantined for day in days),
            base_survey=raw.source if raw else None,
            base_rows=raw.rows if raw else 0,
            base_quarantined=raw.quarantined if raw else 0,
            held_files=sum(len(day.held_files) for day in days),
            held_rows=sum(day.held_rows for day in days),
        )


@dataclass(frozen=True)
class UnagedAnimals:
    """The animals whose rings nobody counted, and how far their ages are.

    Attributes:
        files: Files of them in the lake.
        rows: Their animals.
        quarantined: Their quarantined rows.
        aged: Animals that have an age.
        due_days: Days whose files are not in the lake as they are.
        days_to_age: Days whose animals have no ages yet.
        waiting_for_model: Whether these wait because no model is live.
        refused_files: Files that are no files of animals, and why.
        out_of_reach_files: Files that cannot be read now, and why.
        vanished_days: Days whose files are gone in a way that is not believed.
    """

    files: int
    rows: int
    quarantined: int
    aged: int
    due_days: list[str]
    days_to_age: list[str]
    waiting_for_model: bool
    refused_files: dict[str, str]
    vanished_days: list[str]
    out_of_reach_files: dict[str, str]

    @classmethod
    def of(
        cls, settings: Settings, lake: Lake, zone: LandingZone, requested_version: int | None
    ) -> Self:
        """Look at the landing zone and the lake's records of them.

        Raises:
            StorageError: One of them cannot be read.
        """
        animals = Animals(lake)
        manifest = animals.manifest()
        today = datetime.now(UTC).date()
        landing = scan(settings, zone, manifest, today, ANIMALS)
        memory = read_memory(lake.store, ANIMALS_MEMORY_KEY)
        due = find_due(landing, manifest, zone.read, memory=memory)
        days = [day for day in manifest.days.values() if day.files]
        known = [file for day in days for file in day.files]
        to_age = animals.days_to_age(manifest)
        return cls(
            files=sum(len(day.files) for day in days),
            rows=sum(day.rows for day in days),
            quarantined=sum(day.quarantined for day in days),
            aged=sum(day.rows for day in animals.aged().values()),
            due_days=list(due.days),
            days_to_age=to_age,
            waiting_for_model=bool(to_age) and requested_version is None,
            refused_files={file.name: str(file.problem) for file in known if file.is_refused},
            vanished_days=list(due.vanished),
            out_of_reach_files=out_of_reach(known),
        )


def out_of_reach(files: Iterable[IngestedFile]) -> dict[str, str]:
    """The files that cannot be read now, and why."""
    return {file.name: str(file.problem) for file in files if file.is_out_of_reach}


def growing_files(
    landing: Landing, manifest: Manifest, memory: Memory, patience: Patience
) -> list[str]:
    """The files that were not at rest when a sensor looked, and are not since."""
    tokens = {
        file.name: file.e_tag
        for day in landing.days.keys() & manifest.days.keys()
        for file in manifest.days[day].files
    }
    return sorted(
        file.name
        for files in landing.days.values()
        for file in files
        if file.name in memory.growing
        and not memory.is_at_rest(file, tokens.get(file.name), patience)
    )


def scan(
    settings: Settings,
    zone: LandingZone,
    manifest: Manifest,
    today: date,
    kind: FileKind = SURVEYS,
) -> Landing:
    """What lies in the landing zone; nothing in a home where nothing has landed yet."""
    first = settings.first_survey_day
    new = has_own_landing_zone(settings) and not any(day.files for day in manifest.days.values())
    if new and not Path(settings.landing_zone_uri).exists():
        return Landing(first.isoformat(), today.isoformat(), {}, ())
    return zone.scan(first, today, kind=kind)
