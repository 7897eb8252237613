"""A landing zone, a lake and the real sensor, without Dagster's runs, and what happens to them.

A history lands, rewrites, renames and deletes survey files, damages the lake, and lets ticks and
ingestions fail or be killed at any write. When it settles, the lake must be what a new one would be
of the same landing zone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Literal

import dagster as dg
import polars as pl
from obstore.store import MemoryStore

from abalone_assets.automation.runs import days_of
from abalone_assets.automation.survey_sensor import survey_tick
from abalone_assets.errors import StorageError
from abalone_assets.ingest.days import parse_days
from abalone_assets.ingest.earlier import Earlier
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.ingest.judging import Judge, judge_name
from abalone_assets.ingest.landing_zone import FolderLandingZone
from abalone_assets.ingest.memory import read_memory
from abalone_assets.ingest.reconcile import DayRange, missing_days
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import (
    MANIFEST_KEY,
    commit_days,
    read_manifest_anew,
    revoke_days,
)
from abalone_assets.settings.platform import Settings, load_settings
from abalone_assets.storage import object_store
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    from abalone_assets.lake.manifest import IngestedFile

When = Literal["before", "after"]
ASSETS: Final = ("new_surveys", "quarantined_rows")
FIRST_DAY: Final = "2025-03-01"
ROUNDS: Final = 30
REPOSITORY: Final = dg.Definitions(assets=[dg.AssetSpec(name) for name in ASSETS])


class Killed(BaseException):
    """The process is gone: no code of it runs any more."""


@dataclass
class Fault:
    """What happens at the n-th write of the stores, counted from when it is set.

    Attributes:
        number: Which write, from 0; negative for none.
        when: Before or after its effect.
        kills: Whether the process dies there, or the store refuses.
    """

    number: int = -1
    when: When = "before"
    kills: bool = False

    def around(self, write: Callable[[], Any]) -> Any:
        strikes = self.number == 0
        self.number -= 1
        if strikes and self.when == "before":
            self._strike()
        done = write()
        if strikes:
            self._strike()
        return done

    def _strike(self) -> None:
        if self.kills:
            raise Killed
        raise OSError("the store refuses")


@dataclass(frozen=True)
class _Faulty:
    """An obstore whose writes meet the fault."""

    inner: Any
    fault: Fault

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.inner, name)
        if name not in {"put", "delete"}:
            return call
        return lambda *arguments, **options: self.fault.around(lambda: call(*arguments, **options))


def install_faults(patch: pytest.MonkeyPatch) -> Fault:
    """Let every store's writes meet a fault, and ``s3://`` be in memory; it is to be set later."""
    fault, opened = Fault(), ObjectStore.__dict__["_store"].func
    memory: dict[str, MemoryStore] = {}
    stores = cached_property(lambda store: _Faulty(opened(store), fault))
    stores.__set_name__(ObjectStore, "_store")
    patch.setattr(ObjectStore, "_store", stores)
    patch.setattr(object_store, "open_s3_store", lambda uri: memory.setdefault(uri, MemoryStore()))
    return fault


@dataclass
class World:
    """One history's landing zone and lake.

    Attributes:
        folder: Where its files are.
        lake_uri: Where its lake is.
        fault: What the stores do.
        clock: The sensor's.
    """

    folder: Path
    lake_uri: str
    fault: Fault
    clock: Clock
    instance: dg.DagsterInstance
    cursor: str | None = None
    lost_part: bool = False
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
        """What the asset does, in its order."""
        lake = self.lake
        judge = Judge.of(lake)
        parsed = parse_days(
            self.zone, list(each_day(days)), judge=judge, earlier=Earlier.of(lake, self.settings)
        )
        revoke_days(lake.store, parsed.days)
        for asset, frames in zip(ASSETS, (parsed.rows, parsed.quarantined), strict=True):
            for day, frame in frames.items():
                lake.store.write(lake.key(asset, day), to_parquet(frame))
        commit_days(
            lake.store,
            parsed.entries,
            valid=lambda manifest: judge_name(manifest.raw) == judge.name,
        )

    def tick_and_ingest(self) -> int:
        """A tick and what it asks for; how much that was."""
        asked = self.tick()
        for days in asked:
            self.ingest(days)
        return len(asked)

    def try_to(self, work: Callable[[], object], fault: Fault) -> None:
        """Work while the stores fail; a process that is killed takes what it knew along."""
        vars(self.fault).update(vars(fault))
        try:
            with suppress(StorageError):
                work()
        except Killed:
            read_manifest_anew(self.lake.store)
        finally:
            self.fault.number = -1

    def wipe(self, day: str) -> None:
        """Delete a day's rows from the lake, as somebody does by hand."""
        self.lake.store.delete(self.lake.key("new_surveys", day))

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
            revoke_days(self.lake.store, forgotten)
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
    return file.name, file.size, file.sha256, file.rows, file.quarantined, file.problem or ""


def each_day(days: DayRange) -> Iterator[str]:
    first, last = date.fromisoformat(days.first), date.fromisoformat(days.last)
    for number in range((last - first).days + 1):
        yield (first + timedelta(days=number)).isoformat()
