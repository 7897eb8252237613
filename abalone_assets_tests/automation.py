"""What tests of the automation share: a clock to move, real causes of failure, runs in flight."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.runs import day_range_tags, days_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from abalone_assets.ingest.reconcile import DayRange
    from abalone_assets_tests.platform import Platform

SURVEY_SENSOR, RELEASE_SENSOR = "survey_sensor", "release_sensor"
INGEST, RELEASE = "ingest_surveys", "release"


@dataclass
class Clock:
    """The clock of the sensors, which a test moves; everything else keeps the real time."""

    offset: timedelta = field(default_factory=timedelta)

    @classmethod
    def installed(cls, monkeypatch: pytest.MonkeyPatch) -> Clock:
        clock = cls()
        monkeypatch.setattr("abalone_assets.sensors.time", clock)
        monkeypatch.setattr("abalone_assets.sensors.datetime", clock)
        return clock

    def advance(self, *, days: float = 0, seconds: float = 0) -> None:
        self.offset += timedelta(days=days, seconds=seconds)

    def time(self) -> float:
        return time.time() + self.offset.total_seconds()

    def now(self, zone: tzinfo | None = None) -> datetime:
        return datetime.now(zone) + self.offset


def name_of(day: str, time_of_day: str = "120000") -> str:
    """The name of the survey file of that day and time."""
    return f"abalone.{day.replace('-', '')}{time_of_day}"


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def requests(platform: Platform, sensor: str = SURVEY_SENSOR) -> list[dg.RunRequest]:
    """What one tick asks for."""
    return list(platform.tick(sensor).run_requests or [])


def ranges(asked: Iterable[dg.RunRequest]) -> list[tuple[str, str]]:
    """First and last survey day of each request."""
    found = [days_of(dg.DagsterRun(job_name=INGEST, tags=dict(request.tags))) for request in asked]
    return [(days.first, days.last) for days in found if days]


def launch(platform: Platform, request: dg.RunRequest, job: str = INGEST) -> dg.DagsterRun:
    """Leave the run that a sensor asked for in the queue, where nothing executes it."""
    return platform.instance.create_run_for_job(
        platform.definitions.resolve_job_def(job), tags=dict(request.tags)
    )


def ingest(platform: Platform) -> list[bool]:
    """One tick of the survey sensor and the runs that it asks for: which of them succeeded."""
    return [
        platform.run(INGEST, request, raise_on_error=False).success
        for request in requests(platform)
    ]


def ingest_range(platform: Platform, days: DayRange) -> dg.ExecuteInProcessResult:
    """Ingest days that nobody asked for, as a backfill does."""
    return platform.run(INGEST, dg.RunRequest(tags=day_range_tags(days)))


def block(platform: Platform, asset: str, partition: str | None = None) -> Path:
    """Put a folder where the lake must write an asset's object: a fault that root has too."""
    assert platform.lake.store.root is not None
    path = platform.lake.store.root / platform.lake.key(asset, partition)
    path.unlink(missing_ok=True)
    (path / "in the way").mkdir(parents=True)
    return path


def unblock(path: Path) -> None:
    shutil.rmtree(path)


def written_bytes(platform: Platform) -> dict[str, bytes]:
    """Everything in the lake and the registry, by path."""
    roots = (platform.home / "lake", platform.home / "registry")
    return {
        str(path.relative_to(platform.home)): path.read_bytes()
        for root in roots
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
