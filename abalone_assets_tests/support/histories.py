"""A landing zone, a lake and the real sensor, without Dagster's runs, and what happens to them.

A history lands, rewrites, renames and deletes survey files, damages the lake, and lets ticks and
ingestions fail or be killed at any write. When it settles, the lake must be what a new one would be
of the same landing zone.
"""

from __future__ import annotations

import hashlib
import itertools
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import polars as pl
from obstore.store import MemoryStore

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import days_of
from abalone_assets.automation.survey_sensor import survey_tick
from abalone_assets.errors import AbaloneError, StorageError, SurveyError
from abalone_assets.ingest.accepted_files import accept_file, held_files
from abalone_assets.ingest.commit import commit_parsed_days
from abalone_assets.ingest.days import parse_days
from abalone_assets.ingest.earlier import Earlier
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.held_files import Judge
from abalone_assets.ingest.memory import read_memory
from abalone_assets.ingest.reconcile import missing_days
from abalone_assets.ingest.synthetic_files import (
    SyntheticFile,
    record_synthetic_file,
    synthetic_files,
)
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import (
    MANIFEST_KEY,
    read_manifest_anew,
    revoke_days,
    writing_days,
)
from abalone_assets.lake.writers import Writer
from abalone_assets.resources.storage import write_frames
from abalone_assets.settings.platform import Settings, load_settings
from abalone_assets.storage import object_store
from abalone_assets_tests.automation.support import Clock
from abalone_assets_tests.support.faults import Killed, correct, each_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pytest

    from abalone_assets.lake.manifest import IngestedFile
    from abalone_assets_tests.support.faults import Faults, Strike

ASSETS: Final = ("new_surveys", "quarantined_rows")
FIRST_DAY: Final = "2025-03-01"
ALL_DAYS: Final = ("2025-03-03", "2025-03-06")
ROUNDS: Final = 30
RUNS: Final = itertools.count()
REPOSITORY: Final = dg.Definitions(assets=[dg.AssetSpec(name) for name in ASSETS])


def keep_s3_in_memory(patch: pytest.MonkeyPatch) -> None:
    """Let ``s3://`` be in memory."""
    memory: dict[str, MemoryStore] = {}
    patch.setattr(object_store, "open_s3_store", lambda uri: memory.setdefault(uri, MemoryStore()))


@dataclass
class World:
    """One history's landing zone and lake.

    Attributes:
        folder: Where its files are.
        lake_uri: Where its lake is.
        faults: What the stores do.
        clock: The sensor's.
        instance: Dagster's, which knows of no run.
        cursor: The sensor's.
        lost_part: Whether a part of the manifest was lost, and nobody has done anything about it.
        runs: How many runs were begun.
        ended: Those that have ended.
        settings: The settings in force.
    """

    folder: Path
    lake_uri: str
    faults: Faults
    clock: Clock
    instance: dg.DagsterInstance
    cursor: str | None = None
    lost_part: bool = False
    runs: int = 0
    ended: set[str] = field(default_factory=set)
    settings: Settings = field(default_factory=load_settings)

    @property
    def lake(self) -> Lake:
        return Lake(self.lake_uri)

    @property
    def zone(self) -> FolderLandingZone:
        return FolderLandingZone(self.folder)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def tick(self) -> list[DayRange]:
        """The days that the real sensor asks for."""
        with dg.build_sensor_context(
            self.instance,
            cursor=self.cursor,
            repository_def=REPOSITORY.get_repository_def(),
        ) as context:
            result = survey_tick(context, self.zone, self.lake, self.settings)
        self.cursor = result.cursor
        asked = [
            days_of(dg.DagsterRun("ingest_surveys", tags=dict(request.tags)))
            for request in result.run_requests or []
        ]
        return [days for days in asked if days]

    def ingest(self, days: DayRange) -> None:
        """A run of what the asset does; Dagster knows afterwards that it has ended."""
        writer = Writer.this(f"run {next(RUNS)}")
        self.runs += 1
        try:
            self._ingest(days, writer)
        finally:
            self.ended.add(writer.run)

    def _ingest(self, days: DayRange, writer: Writer) -> None:
        lake = self.lake
        judge = Judge.of(lake)
        parsed = parse_days(
            self.zone,
            list(each_day(days)),
            synthetic=lambda: synthetic_files(lake.store).keys(),
            judge=judge,
            earlier=Earlier.of(lake, self.settings),
        )
        with writing_days(lake.store, parsed.days.keys(), writer, self.ended.__contains__):
            for asset, frames in zip(ASSETS, (parsed.rows, parsed.quarantined), strict=True):
                write_frames(lake, asset, frames.items())
            commit_parsed_days(lake, parsed.entries, judge, writer)

    def tick_and_ingest(self) -> int:
        """A tick and what it asks for; how much that was."""
        asked = self.tick()
        for days in asked:
            self.ingest(days)
        return len(asked)

    def have_a_person(self, work: Callable[[], object], strikes: Sequence[Strike]) -> None:
        """Work as the command of a person, who says it again when it fails or is killed."""
        struck = self.faults.struck.total()
        self.try_to(work, strikes)
        if self.faults.struck.total() > struck:
            work()

    def try_to(self, work: Callable[[], object], strikes: Sequence[Strike]) -> None:
        """Work while something happens at the calls; a killed process forgets what it knew."""
        self.faults.set(strikes)
        self.faults.meanwhile = self.meanwhile
        try:
            with suppress(AbaloneError):
                work()
        except Killed:
            self.faults.set(())
            read_manifest_anew(self.lake.store)
        finally:
            self.faults.set(())

    def meanwhile(self, name: str) -> None:
        """What others do at a call: another run, a crew, a person."""
        paths = [self.folder / each for each in self.names]
        doing: dict[str, Callable[[], object]] = {
            "ingests": self.tick_and_ingest,
            "ingests all": lambda: self.ingest(DayRange(*ALL_DAYS)),
            "corrects": lambda: each_of(paths[:1], correct),
            "corrects and ingests all": self.correct_and_ingest_all,
            "deletes": lambda: each_of(paths[-1:], Path.unlink),
            "tells of a simulation": lambda: each_of(paths[:1], self.tell_of),
            "accepts": self.accept_all,
        }
        with suppress(AbaloneError):
            doing[name]()

    def correct_and_ingest_all(self) -> None:
        """A crew corrects a file, which another run ingests at once."""
        each_of([self.folder / each for each in self.names[:1]], correct)
        self.ingest(DayRange(*ALL_DAYS))

    def tell_of(self, path: Path) -> None:
        """A person says that a landed file is a simulation."""
        self.know_as_simulated(path.name, path.read_bytes())

    def know_as_simulated(self, name: str, data: bytes) -> None:
        """A person says that a file of these bytes is a simulation."""
        made = SyntheticFile(name, data.count(b"\n"), "copula", seed=0, data_version="v1")
        with suppress(StorageError):  # a lost part of the manifest, until the next tick
            record_synthetic_file(self.lake.store, hashlib.sha256(data).hexdigest(), made)

    def accept_all(self) -> None:
        """A person accepts every held file."""
        with suppress(StorageError):  # a lost part of the manifest, until the next tick
            for file in held_files(self.lake.store):
                with suppress(SurveyError):  # its day waits for another file of it
                    accept_file(self.lake.store, file.name, because="weighed again", by="ana")

    def wipe(self, day: str, asset: str) -> None:
        """Delete a day's rows from the lake, as somebody does by hand."""
        self.lake.store.delete(self.lake.key(asset, day))

    def lose_part(self) -> None:
        """Lose the parts of the manifest."""
        for stored in list(self.lake.store.list("_manifest/")):
            self.lake.store.delete(stored.key)
        self.lost_part = True
        read_manifest_anew(self.lake.store)

    def settle(self) -> None:
        """Tick, ingest, and have a person do what messages say, until nothing is asked for."""
        for _ in range(ROUNDS):
            self.clock.advance(seconds=700)
            try:
                asked = self.tick_and_ingest()
            except StorageError as error:
                if not self.lost_part or f"delete {MANIFEST_KEY}" not in str(error):
                    raise  # nothing else needs a person
                self.lake.store.delete(MANIFEST_KEY)
                self.lost_part = False
                continue
            if not asked and not self._forget():
                return
        raise AssertionError(f"it does not settle: {self.tick()}")

    def _forget(self) -> list[str]:
        """What `abalone forget` is for: days whose files were deleted on purpose."""
        landing = self.zone.scan(self.settings.first_survey_day, self.clock.now().date())
        manifest, memory = self.lake.manifest(), read_memory(self.lake.store)
        gone = {*missing_days(landing, manifest, memory), *self.lake.lost_days(manifest)}
        forgotten = sorted(
            day for day in gone if day not in landing.days and manifest.summaries[day].files
        )
        if forgotten:
            revoke_days(self.lake.store, forgotten, forget=True)
        return forgotten

    def held(self) -> dict[str, Any]:
        """All that the lake holds, as it can be compared with another."""
        manifest = read_manifest_anew(self.lake.store)
        days = {day: entry for day, entry in manifest.days.items() if entry.files}
        return {
            "digest": manifest.digest,
            "files": {day: sorted(map(told, entry.files)) for day, entry in days.items()},
            **{asset: {day: self._rows(asset, day) for day in manifest.days} for asset in ASSETS},
        }

    def _rows(self, asset: str, day: str) -> list[tuple[Any, ...]]:
        key = self.lake.key(asset, day)
        if self.lake.store.find(key) is None:
            return []
        frame = pl.read_parquet(BytesIO(self.lake.store.read(key)), hive_partitioning=False)
        return sorted(frame.rows(), key=repr)


def told(file: IngestedFile) -> tuple[Any, ...]:
    """What the manifest tells of a file, but for the time of its write."""
    counts = file.size, file.sha256, file.rows, file.quarantined, file.held_rows
    return file.name, *counts, file.origin, file.held or "", file.problem or ""


def each_day(days: DayRange) -> Iterator[str]:
    first, last = date.fromisoformat(days.first), date.fromisoformat(days.last)
    for number in range((last - first).days + 1):
        yield (first + timedelta(days=number)).isoformat()
