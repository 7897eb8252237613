"""The platform in one process: its real sensors, runs and instance, without a daemon."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets import definitions
from abalone_assets.ingest.landing_zone import FolderLandingZone
from abalone_assets.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = [
    "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15",
    "F,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21,9",
    "I,0.33,0.255,0.08,0.205,0.0895,0.0395,0.055,7",
]


def survey_rows(count: int, *, seed: int = 0) -> bytes:
    """A survey file's bytes: ``count`` valid rows that no other seed has."""
    rows = []
    for number in range(count):
        sex, *sizes, rings = ROWS[number % len(ROWS)].split(",")
        grown = [
            f"{float(size) + 0.0005 * (seed * count + number + 1) % 0.05:.4f}" for size in sizes
        ]
        rows.append(",".join([sex, *grown, rings]))
    return ("\n".join(rows) + "\n").encode()


@dataclass
class Platform:
    """Everything that a test drives.

    Attributes:
        home: The home folder.
        definitions: The definitions, with resources bound to that home.
        instance: A persistent instance in ``home/dagster``.
        cursors: Each sensor's cursor after its last tick.
    """

    home: Path
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    cursors: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def at(cls, home: Path) -> Iterator[Platform]:
        """Open the platform at a home whose settings are in the environment."""
        with dg.DagsterInstance.get() as instance:
            yield cls(home, definitions.defs(), instance)

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    @property
    def landing_zone(self) -> FolderLandingZone:
        return FolderLandingZone(self.home / "landing_zone")

    def land(self, name: str, data: bytes) -> None:
        self.landing_zone.land(name, data)

    def tick(self, sensor: str) -> dg.SensorResult:
        """Evaluate a sensor once, with the cursor that it left at its last tick."""
        repository = self.definitions.get_repository_def()
        with dg.build_sensor_context(
            instance=self.instance,
            repository_def=repository,
            cursor=self.cursors.get(sensor),
            resources=dict(self.definitions.resources or {}),
        ) as context:
            data = repository.get_sensor_def(sensor).evaluate_tick(context)
        self.cursors[sensor] = data.cursor
        return dg.SensorResult(
            run_requests=data.run_requests or [],
            skip_reason=data.skip_message,
            asset_events=data.asset_events,
        )

    def run(
        self, job: str, request: dg.RunRequest, *, raise_on_error: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Execute what a sensor asked for, here."""
        selection = list(request.asset_selection) if request.asset_selection else None
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            tags=dict(request.tags),
            asset_selection=selection,
            raise_on_error=raise_on_error,
        )

    def settle(self, *, rounds: int = 10) -> dict[str, int]:
        """Tick both sensors and run what they ask for, until neither asks for anything."""
        jobs = {"survey_sensor": "ingest_surveys", "release_sensor": "release"}
        runs = dict.fromkeys(jobs.values(), 0)
        for _ in range(rounds):
            before = sum(runs.values())
            for sensor, job in jobs.items():
                for request in self.tick(sensor).run_requests or []:
                    self.run(job, request)
                    runs[job] += 1
            if sum(runs.values()) == before:
                return runs
        raise AssertionError(f"the sensors still ask for runs after {rounds} rounds: {runs}")
