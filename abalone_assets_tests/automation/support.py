"""What tests of the automation share: a clock to move, real causes of failure, runs in flight."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation.runs import day_range_tags, days_of
from abalone_assets.ingest.synthetic_files import SyntheticFile, record_synthetic_file
from abalone_assets_tests.support.instance import make_dagster_home
from abalone_assets_tests.support.platform import Platform, small_base

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from abalone_assets.automation.day_ranges import DayRange

SURVEY_SENSOR, RELEASE_SENSOR = "survey_sensor", "release_sensor"
INGEST, RELEASE = "ingest_surveys", "release"


@dataclass
class Clock:
    """The clock of the sensors, which a test moves; everything else keeps the real time."""

    offset: timedelta = field(default_factory=timedelta)

    @classmethod
    def installed(cls, monkeypatch: pytest.MonkeyPatch) -> Clock:
        clock = cls()
        for name in ("look", "day_requests", "release_sensor", "approval_sensor"):
            module = f"abalone_assets.automation.{name}"
            monkeypatch.setattr(f"{module}.datetime", clock)
            monkeypatch.setattr(f"{module}.time", clock, raising=False)
        return clock

    def reset(self) -> None:
        """Back to the real time, at which runs end."""
        self.offset = timedelta()

    def advance(self, *, days: float = 0, seconds: float = 0) -> None:
        self.offset += timedelta(days=days, seconds=seconds)

    def time(self) -> float:
        return time.time() + self.offset.total_seconds()

    def now(self, zone: tzinfo | None = None) -> datetime:
        return datetime.now(zone) + self.offset


def name_of(day: str, time_of_day: str = "120000") -> str:
    """The name of the survey file of that day and time."""
    return f"abalone.{day.replace('-', '')}{time_of_day}"


DAY = "2025-03-03"
FILE = name_of(DAY)


def ingested(platform: Platform, day: str = DAY) -> dict[str, int]:
    """Rows by file, as the manifest says them; ingestion was asked for once and is not again."""
    assert requests(platform) == []
    return {file.name: file.rows for file in platform.lake.manifest().days[day].files}


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
    """Put a file where the lake must have a folder: a fault that root has too."""
    assert platform.lake.store.root is not None
    folder = (platform.lake.store.root / platform.lake.key(asset, partition)).parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    return folder


def know_as_simulated(platform: Platform, day: str, data: bytes) -> None:
    """Record the file of that day with these bytes as a simulation."""
    record_synthetic_file(
        platform.lake.store,
        hashlib.sha256(data).hexdigest(),
        SyntheticFile(name_of(day), data.count(b"\n"), "copula", seed=0, data_version="v1"),
    )


def files_below(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


PREPARED = ("raw_abalone", "merged_dataset", "train_split", "validation_split", "test_split")


def prepare_only(platform: Platform, *assets: str) -> dg.ExecuteInProcessResult:
    """The part of a release that trains nothing, or these assets of it."""
    keys = [dg.AssetKey(asset) for asset in assets or PREPARED]
    return platform.run(RELEASE, dg.RunRequest(asset_selection=keys), raise_on_error=False)


@contextmanager
def platform_in(folder: Path, **settings: str) -> Iterator[Platform]:
    """A platform that outlives one test, on a small base survey unless settings say else."""
    home = folder / "home"
    make_dagster_home(home / "dagster")
    (home / "landing_zone").mkdir()
    chosen = {"HOME": str(home), **small_base(folder), **settings}
    with pytest.MonkeyPatch.context() as environment:
        for variable in list(os.environ):
            if variable.startswith("ABALONE_") and not variable.startswith("ABALONE_TEST_"):
                environment.delenv(variable)
        environment.setenv("DAGSTER_HOME", str(home / "dagster"))
        for name, value in chosen.items():
            environment.setenv(f"ABALONE_{name}", value)
        with Platform.at(home) as platform:
            yield platform


def recorded(
    platform: Platform, run_id: str, of_type: dg.DagsterEventType
) -> list[dg.DagsterEvent]:
    """A run's events of one type, as the instance has them."""
    entries = platform.instance.all_logs(run_id, of_type=of_type)
    return [entry.dagster_event for entry in entries if entry.dagster_event is not None]


def table(shown: object) -> list[Mapping[str, object]]:
    """The records of a metadata value that is a table."""
    assert isinstance(shown, dg.TableMetadataValue)
    return [record.data for record in shown.records]
