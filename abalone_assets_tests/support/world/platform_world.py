"""One history's platform: two drivers on one lake, real sensors and runs, and what befalls them.

Everything is as users have it, but for time: models learn little, pictures are not drawn, and the
sensors' clock is moved. A killed process leaves what it wrote until then, and nothing else of it
runs; its lease has the identity of a process that is no more.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import pytest

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.errors import AbaloneError, StorageError
from abalone_assets.ingest.accepted_files import LEDGER_KEY as ACCEPTED_KEY
from abalone_assets.ingest.memory import read_memory
from abalone_assets.ingest.reconcile import missing_days
from abalone_assets.ingest.synthetic_files import LEDGER_KEY as SYNTHETIC_KEY
from abalone_assets.lake.manifest_store import MANIFEST_KEY, revoke_days
from abalone_assets_tests.support.faults import correct, each_of
from abalone_assets_tests.support.platform import Platform
from abalone_assets_tests.support.world.contents import PREPARED
from abalone_assets_tests.support.world.drivers import JOBS, Driver, current_definitions
from abalone_assets_tests.support.world.people import People
from abalone_assets_tests.support.world.processes import forget_what_was_read

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS: Final = 40


@dataclass
class PlatformWorld(People):
    """One history's landing zone, lake, registry and drivers.

    Attributes:
        lost_part: Whether a part of the manifest is lost, which a message tells a person.
    """

    lost_part: bool = False

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

    def lose_manifest_parts(self) -> None:
        for stored in list(self.lake.store.list("_manifest/")):
            self.lake.store.delete(stored.key)
        self.lost_part = True
        forget_what_was_read(self.lake.store)

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
            revoke_days(self.lake.store, days, forget=True)
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
