"""Two drivers on one lake: each ticks sensors and executes runs, and may be killed at it."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets import definitions
from abalone_assets.automation.runs import DEPLOY_JOB, INGEST_JOB, RELEASE_JOB, day_range_tags
from abalone_assets.errors import AbaloneError
from abalone_assets_tests.support.faults import Killed
from abalone_assets_tests.support.platform import Platform
from abalone_assets_tests.support.world.contents import Contents
from abalone_assets_tests.support.world.processes import Everywhere, forget_what_was_read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pytest

    from abalone_assets.automation.day_ranges import DayRange
    from abalone_assets_tests.support.faults import Strike

JOBS: Final = {
    "survey_sensor": INGEST_JOB,
    "release_sensor": RELEASE_JOB,
    "approval_sensor": DEPLOY_JOB,
}
KEPT_DEFINITIONS: Final = 24


def current_definitions() -> dg.Definitions:
    """Those of the settings in force; whoever has the same settings shares them."""
    chosen = {name: each for name, each in os.environ.items() if name.startswith("ABALONE_")}
    return _definitions_of(tuple(sorted(chosen.items())))


@lru_cache(maxsize=KEPT_DEFINITIONS)
def _definitions_of(_: tuple[tuple[str, str], ...]) -> dg.Definitions:
    return definitions.defs()


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
class Drivers(Contents):
    """Those who tick and run.

    Attributes:
        shared: What all histories share.
        patch: Undone at the end of the history.
        make_home: Makes a Dagster home in an empty folder.
        stores: Where lake and registry are, if not in the folder.
        problems: What went wrong in runs, oldest first.
        runs: How many runs were executed.
    """

    shared: Everywhere
    patch: pytest.MonkeyPatch
    make_home: Callable[[Path], None]
    stores: str = ""
    drivers: list[Driver] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    runs: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)

    def choose(self, environ: dict[str, str]) -> None:
        """Set settings; whoever runs is started again with them."""
        for name, value in environ.items():
            self.patch.setenv(f"ABALONE_{name}", value)
        for driver in self.drivers:
            driver.platform.definitions = current_definitions()

    def _opened(self, home: Path) -> Platform:
        instance = self._stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        return Platform(home=self.folder, definitions=current_definitions(), instance=instance)

    def lose_database(self, driver: Driver) -> None:
        driver.platform.instance.dispose()
        shutil.rmtree(driver.home)
        self.make_home(driver.home)
        driver.platform = self._opened(driver.home)

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
        try:
            if self._works_as(driver.identity, work, strikes):
                self._restart(driver)
        finally:
            self.shared.becomes(self.drivers[0].identity)

    def _works_as(
        self, identity: str, work: Callable[[], object], strikes: Sequence[Strike]
    ) -> bool:
        """Work as a process while something happens at its calls; whether it was killed."""
        faults = self.shared.faults
        self.shared.becomes(identity)
        faults.set(strikes)
        try:
            with suppress(AbaloneError, Killed):
                work()
            return faults.dead
        finally:
            faults.set(())

    def _restart(self, driver: Driver) -> None:
        """What the next `abalone dev` does at its start: runs without a process have failed."""
        self.shared.dies()
        driver.processes += 1
        forget_what_was_read(self.lake.store)
        instance = driver.platform.instance
        for run in instance.get_runs():
            if not run.is_finished:
                instance.report_run_failed(run, "The process of this run ended before the run did.")
