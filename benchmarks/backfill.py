"""A backfill of many survey days in one run, and of three years as somebody asks for it in the UI.

The run is alone in a process and a home of its own, a file of 40 rows on each day, in turn with
another revision (``--against``) and with a run for each day, as Dagster does without a policy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.sample_data import base_survey
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.stack import Stack, running_stack
from benchmarks.timing import OURS, Measured

if TYPE_CHECKING:
    from benchmarks.timing import Options

HERE: Final = Path(__file__).parent
FIRST: Final = date(2023, 1, 1)
ASKED_DAYS: Final = 1096
ROWS_PER_FILE: Final = 40
FEW: Final = 30
"""Days of a run each: what they take is the same for each of them."""


def measure(options: Options) -> Measured:
    """Runs of 365 days and, if asked for, of 3,650, then the UI's own way."""
    measured = Measured(
        "backfill",
        notes=[
            "All sides run in the process that asks, without a start of workers, on SQLite.",
            "As it is asked for in the UI, the backfill daemon looks every 30 s.",
        ],
    )
    for days in (30,) if options.quick else (365, 3_650) if options.long else (365,):
        sides = {OURS: partial(_run, days)}
        if options.against is not None:
            sides["the other checkout"] = partial(_run, days, options.against)
        if days == 365:
            sides["a run for each day"] = partial(_run, FEW, more=["--per-day"])
        turns = 1 if days > 365 and not options.n else options.turns(3)
        measured.alternate(sides, turns, case=f"{days:,} days", warm_ups=0)
    if not options.quick:
        case = f"{ASKED_DAYS:,} days asked for in the UI, a file on every third"
        measured.alternate({OURS: _asked_for}, 1, case=case, warm_ups=0)
    return measured


def _run(days: int, root: Path = HERE.parent, more: list[str] | None = None) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="abalone-backfill-") as home:
        done = subprocess.run(
            [sys.executable, HERE / "backfill_run.py", home, "--days", str(days), *(more or [])],
            env={**os.environ, "PYTHONPATH": str(root.resolve())},
            capture_output=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    return {
        "CPU ms a day": found["cpu_ms_a_day"],
        "wall ms a day": found["wall_ms_a_day"],
        "peak MiB": found["peak_mb"],
        "days lost": found["lost_days"],
    }


def _asked_for() -> dict[str, float]:
    """Land files with the survey sensor off, then ask for all days at once."""
    environ = {"ABALONE_RAW_URI": str(base_survey()), "ABALONE_SENSOR_SECONDS": "5"}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "home", environ) as stack,
    ):
        stack.stop_sensor("survey_sensor")
        stack.await_(lambda: stack.lake.release() is not None, "the first release")
        days = [(FIRST + timedelta(days=number)).isoformat() for number in range(ASKED_DAYS)]
        for number, day in enumerate(days[::3]):
            name = f"abalone.{day.replace('-', '')}120000"
            stack.land(name, survey_rows(ROWS_PER_FILE, seed=number))
        releases = _count(stack, "release")
        backfill = stack.launch_backfill(days)
        asked = stack.await_(
            lambda: stack.backfill_status(backfill) == "COMPLETED_SUCCESS", "backfill", seconds=300
        )
        stack.await_release(seconds=300)
        runs = [run for run in stack.runs() if stack.tag(run, "dagster/backfill") == backfill]
        return {
            "wall ms a day": 1000 * (runs[0]["endTime"] - runs[0]["startTime"]) / ASKED_DAYS,
            "asked to done s": asked,
            "runs": len(runs),
            "days lost": len(set(days) - set(stack.lake.manifest().days)),
            "releases after it": _count(stack, "release") - releases,
        }


def _count(stack: Stack, job: str) -> int:
    return sum(run["jobName"] == job for run in stack.runs())
