"""A release as the platform runs it, against the same functions in a plain script.

Ours counts from the moment the run exists to its end: queue, worker process, imports, definitions,
every step and event. The peer counts a whole process of ``benchmarks.plain_release`` on a copy of
the same lake.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from abalone_assets.sample_data import base_survey, surveys
from abalone_assets_tests.support.stack import Stack, running_stack
from benchmarks.timing import OURS, Measured, Options, python_cost


def measure(options: Options) -> Measured:
    """Both start from the same ingested surveys and end with a published version."""
    measured, environ = Measured("release"), {"ABALONE_RAW_URI": str(base_survey())}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "home", environ) as stack,
    ):
        for survey in surveys():
            stack.land(survey.name, survey.read_bytes())
        stack.await_release()
        for sensor in ("survey_sensor", "release_sensor"):
            stack.stop_sensor(sensor)
        sides = {
            OURS: lambda: _orchestrated(stack),
            "plain script": lambda: _plain(stack, environ),
        }
        measured.alternate(sides, options.turns(5))
    return measured


def _orchestrated(stack: Stack) -> dict[str, float]:
    run_id = stack.launch_job("release")
    stack.await_(lambda: stack.run(run_id)["status"] in {"SUCCESS", "FAILURE"}, "the release")
    run = stack.run(run_id)
    if run["status"] != "SUCCESS":
        raise RuntimeError(f"release {run_id} failed")
    return {"wall s": float(run["endTime"] - run["creationTime"])}


def _plain(stack: Stack, environ: dict[str, str]) -> dict[str, float]:
    home = stack.home.with_name(f"plain-{os.urandom(4).hex()}")
    for part in ("lake", "registry"):
        shutil.copytree(stack.home / part, home / part)
    try:
        cost = python_cost(
            ["-m", "benchmarks.plain_release"], {**environ, "ABALONE_HOME": str(home)}
        )
        return {name: cost[name] for name in ("wall s", "CPU s", "peak MiB")}
    finally:
        shutil.rmtree(home)
