"""A run over many survey days whose process is killed at a chosen write, and what is left of it.

``python -m abalone_assets_tests.support.killed_backfill HOME DAYS WRITE`` is the process; it
kills itself with SIGKILL as soon as the lake has taken that write (0: never), and
says how many it took.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import INGEST_JOB, day_range_tags
from abalone_assets.local.instance import fail_orphaned_runs, home_environment, prepare_instance
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = date(2023, 1, 1)
ROWS = 7
ASSETS = ("new_surveys", "quarantined_rows")


@dataclass(frozen=True)
class Left:
    """What a killed run left, and what another attempt made of it.

    Attributes:
        committed: Days that were in the manifest, whole, after the kill.
        again: Whether a tick after the kill finds days that are due.
        lost: Days without all of their rows after the second attempt.
        twice: Rows that are in the lake more than once then.
        unrecorded: Days that Dagster does not know of then, of both assets.
        still_due: Run requests of a tick then.
    """

    committed: int
    again: bool
    lost: int
    twice: int
    unrecorded: int
    still_due: int


def days_of(count: int) -> list[str]:
    """The survey days, ISO dates."""
    return [(FIRST + timedelta(days=number)).isoformat() for number in range(count)]


def environment(home: Path) -> dict[str, str]:
    """What the platform at this home is started with."""
    return {
        **os.environ,
        "ABALONE_HOME": str(home),
        "ABALONE_FIRST_SURVEY_DAY": FIRST.isoformat(),
        "ABALONE_SETTLE_SECONDS": "0",
    }


def land(home: Path, days: int) -> None:
    """A small survey on each day."""
    zone = home / "landing_zone"
    zone.mkdir(parents=True)
    for number, day in enumerate(days_of(days)):
        name = f"abalone.{day.replace('-', '')}120000"
        (zone / name).write_bytes(survey_rows(ROWS, seed=number % 1000))


def run_until_killed(home: Path, days: int, write: int) -> str:
    """Run it in a process of its own; what that printed, which is nothing when it was killed.

    Raises:
        RuntimeError: It ended otherwise.
    """
    module = "abalone_assets_tests.support.killed_backfill"
    command = [sys.executable, "-m", module, str(home), str(days), str(write)]
    ended = subprocess.run(
        command, env=environment(home), capture_output=True, text=True, check=False
    )
    if ended.returncode != (-signal.SIGKILL if write else 0):
        raise RuntimeError(f"ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return ended.stdout


def try_again(home: Path, days: int) -> Left:
    """What is left after the kill, and after the attempt that the daemon makes next."""
    names = days_of(days)
    with home_environment(home), Platform.at(home) as platform:
        fail_orphaned_runs(platform.instance)
        committed = sum(bool(day.landed) for day in platform.lake.manifest().summaries.values())
        platform.tick("survey_sensor")  # it waits a little after a run that failed
        again = "are due" in (platform.reasons["survey_sensor"] or "")
        platform.run(INGEST_JOB, request_for(names))
        due = platform.tick("survey_sensor").run_requests or []
        manifest, lake = platform.lake.manifest(), platform.lake
        rows = pl.concat([pl.read_parquet(lake.uri("new_surveys", day)) for day in names])
        recorded = [
            len(platform.instance.get_materialized_partitions(dg.AssetKey(asset)))
            for asset in ASSETS
        ]
        return Left(
            committed,
            again,
            sum(manifest.rows_of(day) != ROWS for day in names),
            len(rows) - rows.select("source_file", "line").n_unique(),
            2 * days - sum(recorded),
            len(due),
        )


def request_for(days: Sequence[str]) -> dg.RunRequest:
    """One run over all of these days."""
    keys = [dg.AssetKey(asset) for asset in ASSETS]
    return dg.RunRequest(tags=day_range_tags(DayRange(days[0], days[-1])), asset_selection=keys)


def main() -> None:
    """The process that is killed."""
    home, days, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    writes, write = 0, ObjectStore.write

    def write_and_die(store: ObjectStore, key: str, data: bytes, **more: Any) -> None:
        nonlocal writes
        write(store, key, data, **more)
        writes += 1
        if writes == last:
            os.kill(os.getpid(), signal.SIGKILL)

    with home_environment(home) as settings:
        prepare_instance(settings)
        with Platform.at(home) as platform:
            ObjectStore.write = write_and_die  # type: ignore[method-assign, assignment]
            platform.run(INGEST_JOB, request_for(days_of(days)))
    sys.stdout.write(f"{writes}\n")


if __name__ == "__main__":
    main()
