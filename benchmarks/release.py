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
from benchmarks.timing import compare, python_seconds


def main() -> None:
    """Both start from the same ingested surveys and end with a published version."""
    environ = {"ABALONE_RAW_URI": str(base_survey())}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "home", environ) as stack,
    ):
        for survey in surveys():
            stack.land(survey.name, survey.read_bytes())
        stack.await_release()
        for sensor in ("survey_sensor", "release_sensor"):
            stack.stop_sensor(sensor)
        compare(lambda: _orchestrated(stack), lambda: _plain(stack, environ), runs=5)


def _orchestrated(stack: Stack) -> float:
    run_id = stack.launch_job("release")
    stack.await_(lambda: stack.run(run_id)["status"] in {"SUCCESS", "FAILURE"}, "the release")
    run = stack.run(run_id)
    if run["status"] != "SUCCESS":
        raise RuntimeError(f"release {run_id} failed")
    return float(run["endTime"] - run["creationTime"])


def _plain(stack: Stack, environ: dict[str, str]) -> float:
    home = stack.home.with_name(f"plain-{os.urandom(4).hex()}")
    for part in ("lake", "registry"):
        shutil.copytree(stack.home / part, home / part)
    try:
        return python_seconds(
            ["-m", "benchmarks.plain_release"], {**environ, "ABALONE_HOME": str(home)}
        )
    finally:
        shutil.rmtree(home)
