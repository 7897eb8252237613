"""A backfill of three years, a file on every third day, asked for through the UI's own API."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

from abalone_assets.sample_data import base_survey
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.stack import Stack, running_stack

FIRST = date(2023, 1, 1)
DAYS = 1096
ROWS_PER_FILE = 40


def main() -> None:
    """Land 366 files with the survey sensor off, then ask for all 1,096 days at once."""
    environ = {"ABALONE_RAW_URI": str(base_survey()), "ABALONE_SENSOR_SECONDS": "5"}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "home", environ) as stack,
    ):
        stack.stop_sensor("survey_sensor")
        stack.await_(lambda: stack.lake.release() is not None, "the first release")
        days = [(FIRST + timedelta(days=number)).isoformat() for number in range(DAYS)]
        for number, day in enumerate(days[::3]):
            name = f"abalone.{day.replace('-', '')}120000"
            stack.land(name, survey_rows(ROWS_PER_FILE, seed=number))
        releases = _count(stack, "release")
        backfill = stack.launch_backfill(days)
        asked = stack.await_(
            lambda: stack.backfill_status(backfill) == "COMPLETED_SUCCESS", "backfill", seconds=300
        )
        released = stack.await_release(seconds=300)
        runs = [run for run in stack.runs() if stack.tag(run, "dagster/backfill") == backfill]
        holes = set(days) - set(stack.lake.manifest().days)
        print("| days | files | runs | run s | asked to done s | holes | releases after it |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        print(
            f"| {DAYS} | {len(days[::3])} | {len(runs)} | "
            f"{runs[0]['endTime'] - runs[0]['startTime']:.1f} | {asked:.1f} | {len(holes)} | "
            f"{_count(stack, 'release') - releases} (after {released:.0f} s) |"
        )


def _count(stack: Stack, job: str) -> int:
    return sum(run["jobName"] == job for run in stack.runs())
