"""One history's platform: two drivers on one lake, real sensors and runs, and what befalls them.

Everything is as users have it, but for time: models learn little, pictures are not drawn, and the
sensors' clock is moved. A killed process leaves what it wrote until then, and nothing else of it
runs; its lease has the identity of a process that is no more.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import polars as pl
import pytest

from abalone_assets import definitions
from abalone_assets.automation import retention
from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import (
    DEPLOY_JOB,
    INGEST_JOB,
    RELEASE_JOB,
    day_range_tags,
)
from abalone_assets.errors import AbaloneError, StorageError, SurveyError
from abalone_assets.etl import lake_inputs
from abalone_assets.ingest.accepted_files import LEDGER_KEY as ACCEPTED_KEY
from abalone_assets.ingest.accepted_files import accept_file, held_files
from abalone_assets.ingest.memory import read_memory
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.reconcile import missing_days
from abalone_assets.ingest.synthetic_files import LEDGER_KEY as SYNTHETIC_KEY
from abalone_assets.ingest.synthetic_files import SyntheticFile, record_synthetic_file
from abalone_assets.lake import kept_inputs, lease, released_files, writers
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import MANIFEST_KEY, read_manifest_anew, revoke_days
from abalone_assets.lake.names import partition_column
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.versions import desired_of
from abalone_assets.resources.ml_platform import LocalMLPlatform
from abalone_assets.serving.pointer import read_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.automation.support import Clock
from abalone_assets_tests.cli.support import see_as_next_year
from abalone_assets_tests.support.faults import Killed, correct, each_of, install_faults
from abalone_assets_tests.support.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.settings.platform import Settings
    from abalone_assets.storage.object_store import ObjectStore
    from abalone_assets_tests.support.faults import Faults, Strike

TINY: Final = {"num_boost_round": 8, "eta": 0.4, "landmarks": 20, "folds": 2}
"""Hyperparameters of models that are released all the same: thousands are trained here."""

INGESTED: Final = ("new_surveys", "quarantined_rows")
PREPARED: Final = ("merged_dataset", "train_split", "validation_split", "test_split")
JOBS: Final = {
    "survey_sensor": INGEST_JOB,
    "release_sensor": RELEASE_JOB,
    "approval_sensor": DEPLOY_JOB,
}
ROUNDS: Final = 40
KEPT_DEFINITIONS: Final = 24


def current_definitions() -> dg.Definitions:
    """Those of the settings in force; whoever has the same settings shares them."""
    chosen = {name: each for name, each in os.environ.items() if name.startswith("ABALONE_")}
    return _definitions_of(tuple(sorted(chosen.items())))


@lru_cache(maxsize=KEPT_DEFINITIONS)
def _definitions_of(_: tuple[tuple[str, str], ...]) -> dg.Definitions:
    return definitions.defs()


def forget_what_was_read(store: ObjectStore) -> None:
    """Know as little as a process that has just begun."""
    read_manifest_anew(store)
    kept_inputs._month_at.cache_clear()
    released_files._remembered.clear()


@dataclass
class Everywhere:
    """What all histories of a test share: where faults strike, the clock, who lives."""

    faults: Faults
    clock: Clock
    alive: set[str] = field(default_factory=set)
    identity: str = ""
    leases: list[lease.HeldLease] = field(default_factory=list)

    @classmethod
    def installed(cls, patch: pytest.MonkeyPatch) -> Everywhere:
        """Put the seams in."""
        shared = cls(install_faults(patch), Clock.installed(patch))
        for module in (lease, writers):
            patch.setattr(module, "process_identity", lambda _: shared.identity)
            patch.setattr(module, "process_lives", lambda identity: identity in shared.alive)
        acquire = lease.HeldLease.acquire

        def remembered(held: lease.HeldLease, say: Callable[[str], object]) -> None:
            acquire(held, say, wait_seconds=0.0)  # or a second driver would wait for the first
            shared.leases.append(held)

        def undrawn(*_: object) -> None:
            raise StorageError("not drawn in this test")

        patch.setattr(lease.HeldLease, "acquire", remembered)
        patch.setattr(LocalMLPlatform, "report", undrawn)
        patch.setattr(lake_inputs, "KEPT_FROM_ROWS", 1)  # so that rows are kept, as of a million
        return shared

    def becomes(self, identity: str) -> None:
        """Another process is at work from now on."""
        self.identity = identity
        self.alive.add(identity)

    def dies(self) -> None:
        """The process at work is killed."""
        self.alive.discard(self.identity)
        for held in self.leases:
            held._ended.set()
        self.leases.clear()


@dataclass
class Driver:
    """One that ticks sensors and executes runs, with a Dagster instance of its own."""

    name: str
    home: Path
    platform: Platform
    processes: int = 0

    @property
    def identity(self) -> str:
        return f"1/{self.name}/{self.processes}"


@dataclass
class PlatformWorld:
    """One history's landing zone, lake, registry and drivers.

    Attributes:
        folder: Where all of it is, but for what is on an object store.
        shared: What all histories share.
        patch: Undone at the end of the history.
        make_home: Makes a Dagster home in an empty folder.
        problems: What went wrong in runs, oldest first.
        runs: How many runs were executed.
    """

    folder: Path
    shared: Everywhere
    patch: pytest.MonkeyPatch
    make_home: Callable[[Path], None]
    stores: str = ""
    drivers: list[Driver] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    runs: int = 0
    lost_part: bool = False
    _stack: ExitStack = field(default_factory=ExitStack)

    def open(self, environ: dict[str, str]) -> None:
        """Start: nothing has landed."""
        zone = self.folder / "landing_zone"
        zone.mkdir(parents=True, exist_ok=True)
        uris = {"LAKE_URI": "lake", "REGISTRY_URI": "registry"}
        stores = {name: f"{self.stores or self.folder}/{each}" for name, each in uris.items()}
        self.choose({"HOME": str(self.folder), **stores, **environ})
        forget_what_was_read(self.lake.store)
        self.shared.clock.reset()
        self.shared.faults.set(())
        self.shared.faults.meanwhile = self.meanwhile
        for name in ("one", "two"):
            home = self.folder / f"dagster-{name}"
            self.make_home(home)
            self.drivers.append(Driver(name, home, self._opened(home)))
        self.shared.becomes(self.drivers[0].identity)

    def close(self) -> None:
        """End both drivers."""
        self.shared.dies()
        self._stack.close()
        self.patch.undo()

    def choose(self, environ: dict[str, str]) -> None:
        """Set settings; whoever runs is started again with them."""
        for name, value in environ.items():
            self.patch.setenv(f"ABALONE_{name}", value)
        for driver in self.drivers:
            driver.platform.definitions = current_definitions()

    def _opened(self, home: Path) -> Platform:
        instance = self._stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        return Platform(home=self.folder, definitions=current_definitions(), instance=instance)

    @property
    def settings(self) -> Settings:
        return load_settings()

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_uri)

    @property
    def zone(self) -> Any:
        return open_landing_zone(self.settings.landing_zone_uri)

    @property
    def registry(self) -> ModelRegistry:
        return open_registry(self.settings)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "landing_zone").iterdir())

    @property
    def live(self) -> int | None:
        pointer = read_pointer(self.registry.store, self.settings.endpoint_name)
        return None if pointer is None else pointer.version

    # What drivers do.

    def run(self, driver: Driver, job: str, request: dg.RunRequest) -> bool:
        self.runs += 1
        done = driver.platform.run(job, request, raise_on_error=False)
        if not done.success:
            failed = [each for each in done.all_events if each.is_step_failure]
            told = failed[0].step_failure_data.error if failed else None
            cause = told and (told.cause or told)
            self.problems.append(f"{job}: {cause.message.strip() if cause else 'failed'}")
        return bool(done.success)

    def tick(self, driver: Driver, sensor: str) -> list[dg.RunRequest]:
        return list(driver.platform.tick(sensor).run_requests or [])

    def tick_and_run(self, driver: Driver, sensor: str) -> int:
        requests = self.tick(driver, sensor)
        for request in requests:
            self.run(driver, JOBS[sensor], request)
        return len(requests)

    def backfill(self, driver: Driver, days: DayRange) -> None:
        self.run(driver, INGEST_JOB, dg.RunRequest(tags=day_range_tags(days)))

    def launch(self, driver: Driver, *assets: str) -> None:
        """What a person launches in the UI: some assets of a release."""
        keys = [dg.AssetKey(asset) for asset in assets]
        self.run(driver, RELEASE_JOB, dg.RunRequest(asset_selection=keys))

    def try_to(self, driver: Driver, work: Callable[[], object], strikes: Sequence[Strike]) -> None:
        """Work while something happens at the calls; a killed process is started again."""
        shared = self.shared
        shared.becomes(driver.identity)
        shared.faults.set(strikes)
        try:
            with suppress(AbaloneError):
                work()
        except Killed:
            pass
        finally:
            killed = shared.faults.dead
            shared.faults.set(())
            if killed:
                self._restart(driver)
            shared.becomes(self.drivers[0].identity)

    def _restart(self, driver: Driver) -> None:
        """What the next `abalone dev` does at its start: runs without a process have failed."""
        self.shared.dies()
        driver.processes += 1
        forget_what_was_read(self.lake.store)
        instance = driver.platform.instance
        for run in instance.get_runs():
            if not run.is_finished:
                instance.report_run_failed(run, "The process of this run ended before the run did.")

    def have_a_person(self, work: Callable[[], object], strikes: Sequence[Strike]) -> None:
        """Work as the command of a person, who says it again when it fails or is killed."""
        shared, struck = self.shared, self.shared.faults.struck.total()
        shared.becomes(f"1/person/{struck}")
        shared.faults.set(strikes)
        try:
            with suppress(AbaloneError):
                work()
        except Killed:
            pass
        finally:
            shared.faults.set(())
            shared.dies()
            shared.becomes(self.drivers[0].identity)
        if shared.faults.struck.total() > struck:
            forget_what_was_read(self.lake.store)
            work()

    def meanwhile(self, name: str) -> None:
        """What the other driver, a crew or a person does at a call of the first driver."""
        kept, other = self.shared.identity, self.drivers[1]
        self.shared.becomes(other.identity)
        doing: dict[str, Callable[[], object]] = {
            "ingests": lambda: self.tick_and_run(other, "survey_sensor"),
            "ingests all": lambda: self.backfill(other, DayRange("2025-02-27", "2025-03-06")),
            "releases": lambda: self.tick_and_run(other, "release_sensor"),
            "tells of a simulation": lambda: each_of(self._paths()[:1], self.know),
            "rejects": lambda: self.decide(0, approves=False),
            "approves": lambda: self.decide(0, approves=True),
            "deletes": lambda: each_of(self._paths()[:1], Path.unlink),
            "corrects": lambda: each_of(self._paths()[-1:], correct),
        }
        try:
            with suppress(AbaloneError):
                doing[name]()
        finally:
            self.shared.becomes(kept)

    def _paths(self) -> list[Path]:
        return [self.folder / "landing_zone" / name for name in self.names]

    # What people do.

    def decide(self, pick: int, *, approves: bool) -> None:
        versions = self.registry.versions()
        if versions:
            version = versions[-1 - pick % len(versions)].version
            decide = self.registry.approve if approves else self.registry.reject
            with suppress(AbaloneError):  # its archive was removed
                decide(version, because="history", by="ana")

    def roll_back(self) -> None:
        desired = desired_of(self.registry.candidates())
        if desired is not None:
            self.registry.reject(desired.version, because="history", by="ana")

    def accept_all(self) -> None:
        with suppress(StorageError):  # a lost part of the manifest, until the next tick
            for file in held_files(self.lake.store):
                with suppress(SurveyError):  # its day waits for another file of it
                    accept_file(self.lake.store, file.name, because="weighed again", by="ana")

    def simulate(self, name: str, data: bytes, *, recorded_first: bool) -> None:
        """A simulated survey, which may land before anybody tells that it is one."""
        steps: list[Callable[[], object]] = [
            lambda: self._know(name, data),
            lambda: self.zone.land(name, data),
        ]
        for step in steps if recorded_first else steps[::-1]:
            with suppress(StorageError):  # a lost part of the manifest, until the next tick
                step()

    def know(self, path: Path) -> None:
        """A person tells that a landed file is a simulation."""
        self._know(path.name, path.read_bytes())

    def _know(self, name: str, data: bytes) -> None:
        made = SyntheticFile(name, data.count(b"\n"), "copula", seed=0, data_version="v1")
        record_synthetic_file(self.lake.store, hashlib.sha256(data).hexdigest(), made)

    def collect_garbage(self, *, next_year: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if next_year:
                see_as_next_year(patch)
            for kind in retention.all_kinds(self.settings, self.drivers[0].platform.instance):
                kind.free()

    def lose_database(self, driver: Driver) -> None:
        driver.platform.instance.dispose()
        shutil.rmtree(driver.home)
        self.make_home(driver.home)
        driver.platform = self._opened(driver.home)

    def lose_manifest_parts(self) -> None:
        for stored in list(self.lake.store.list("_manifest/")):
            self.lake.store.delete(stored.key)
        self.lost_part = True
        forget_what_was_read(self.lake.store)

    # The end.

    def settle(self) -> int:
        """Tick, run and do what messages ask of people, until nothing is asked for.

        Returns:
            How many rounds that took.
        """
        driver = self.drivers[0]
        quiet = 0
        for number in range(ROUNDS):
            self.shared.clock.advance(days=1.1)  # longer than any wait after a failure
            asked = 0
            for sensor in JOBS:
                try:
                    asked += self.tick_and_run(driver, sensor)
                except StorageError as error:
                    if not self.lost_part or f"delete {MANIFEST_KEY}" not in str(error):
                        raise  # nothing else needs a person
                    self.lake.store.delete(MANIFEST_KEY)
                    self.lost_part, asked = False, asked + 1
            asked += len(self._forget())
            quiet = 0 if asked else quiet + 1
            if quiet == 2:
                return number
        raise AssertionError(f"it does not settle: {self.problems[-5:]}")

    def _forget(self) -> list[str]:
        """What `abalone forget` is for: days whose files were deleted on purpose."""
        landing = self.zone.scan(self.settings.first_survey_day, self.shared.clock.now().date())
        manifest, memory = self.lake.manifest(), read_memory(self.lake.store)
        gone = {*missing_days(landing, manifest, memory), *self.lake.lost_days(manifest)}
        days = sorted(
            day for day in gone if day not in landing.days and manifest.summaries[day].files
        )
        if days:
            revoke_days(self.lake.store, days)
        return days

    def rebuilt(self, folder: Path) -> dict[str, Any]:
        """What a new lake would hold of the same files, with the same words of people."""
        before = self.lake
        with pytest.MonkeyPatch.context() as patch:
            place = f"{self.stores or folder}/{folder.name}"
            patch.setenv("ABALONE_LAKE_URI", f"{place}-lake")
            patch.setenv("ABALONE_REGISTRY_URI", f"{place}-registry")
            forget_what_was_read(self.lake.store)
            self.make_home(folder / "dagster")
            with dg.DagsterInstance.from_config(str(folder / "dagster")) as instance:
                chosen = current_definitions()
                platform = Platform(home=folder, definitions=chosen, instance=instance)
                for key in (ACCEPTED_KEY, SYNTHETIC_KEY):
                    if before.store.find(key):
                        self.lake.store.write(key, before.store.read(key))
                driver = Driver("new", folder, platform)
                problems = len(self.problems)
                assets = ("raw_abalone", *PREPARED)
                self.launch(driver, "raw_abalone")
                today = self.shared.clock.now().date()
                days = self.zone.scan(self.settings.first_survey_day, today).days
                if days:
                    self.backfill(driver, DayRange(min(days), max(days)))
                self.launch(driver, *assets[1:])
                assert self.problems[problems:] == []
                return self.held()

    def held(self) -> dict[str, Any]:
        """All that the lake holds, as it can be compared with another."""
        lake = self.lake
        read_manifest_anew(lake.store)
        manifest = lake.manifest()
        days = {day: manifest.days[day] for day in manifest.days if manifest.days[day].files}
        files = {
            day: sorted(
                (
                    each.name,
                    each.size,
                    each.sha256,
                    each.rows,
                    each.quarantined,
                    each.origin,
                    each.held or "",
                    each.problem or "",
                )
                for each in entry.files
            )
            for day, entry in days.items()
        }
        held: dict[str, Any] = {"digest": manifest.digest, "files": files}
        for asset in INGESTED:
            rows = {
                day: self._rows(lake.key(asset, day), partition_column(asset))
                for day in manifest.days
            }
            held[asset] = {day: each for day, each in rows.items() if each}
        for asset in PREPARED:
            held[asset] = self._rows(lake.key(asset))
        return held

    def _rows(self, key: str, but: str = "") -> list[tuple[Any, ...]]:
        from io import BytesIO

        if self.lake.store.find(key) is None:
            return []
        frame = pl.read_parquet(BytesIO(self.lake.store.read(key)), hive_partitioning=False)
        return sorted(frame.drop(but, strict=False).rows(), key=repr)
