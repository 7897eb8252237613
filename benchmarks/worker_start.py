"""A run's process: forked from the warm one, against the cold interpreter of Dagster's launcher.

Each run is an ingestion of a day without a file, so it is start, imports, definitions and events.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext
from dagster._grpc.types import ExecuteRunArgs

from abalone_assets.automation.runs import INGEST_JOB, PARTITION_TAG
from abalone_assets.local.instance import home_environment, prepare_instance
from abalone_assets.local.launcher import WarmRunLauncher
from benchmarks.timing import OURS, Measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.timing import Options

PLATFORM = ReconstructableRepository(ModuleCodePointer("abalone_assets.definitions", "defs", None))


def measure(options: Options) -> Measured:
    """Both take turns, after one run of each that warms them up."""
    measured = Measured("worker_start")
    with tempfile.TemporaryDirectory() as folder, home_environment(Path(folder)) as settings:
        prepare_instance(settings)
        with dg.DagsterInstance.get() as instance:
            sides = {
                OURS: lambda: _forked(instance, _new_run(instance)),
                "a cold interpreter": lambda: _cold(instance, _new_run(instance)),
            }
            measured.alternate(sides, options.turns(7))
            launcher = instance.run_launcher
            assert isinstance(launcher, WarmRunLauncher)
            if launcher.host is not None:
                memory = launcher.host.memory_full_info().pss / 2**20
                measured.notes.append(f"The warm process holds {memory:.0f} MiB (PSS).")
    return measured


def _new_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    job = PLATFORM.get_reconstructable_job(INGEST_JOB)
    return instance.create_run_for_job(
        job.get_definition(),
        job_code_origin=job.get_python_origin(),
        tags={PARTITION_TAG: "2024-01-01"},
    )


def _forked(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, float]:
    launcher = instance.run_launcher
    assert isinstance(launcher, WarmRunLauncher)

    def execute() -> None:
        launcher.launch_run(LaunchRunContext(run, workspace=None))
        assert launcher.host is not None
        while launcher.host.children():  # until it is waited for, and counted
            time.sleep(0.01)

    def spent() -> float:
        return sum(launcher.host.cpu_times()[:4]) if launcher.host else 0.0  # its children's too

    return _measured(instance, run, execute, spent)


def _cold(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, float]:
    assert run.job_code_origin is not None
    arguments = ExecuteRunArgs(run.job_code_origin, run.run_id, instance.get_ref())
    command = [sys.executable, "-m", "dagster", *arguments.get_command_args()[-3:]]

    def spent() -> float:
        times = os.times()
        return times.children_user + times.children_system

    return _measured(
        instance,
        run,
        lambda: subprocess.run(command, check=True, capture_output=True),
        spent,
    )


def _measured(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    execute: Callable[[], object],
    spent: Callable[[], float],
) -> dict[str, float]:
    """Seconds until the run's process has ended.

    Raises:
        RuntimeError: The run failed.
    """
    cpu, started = spent(), time.perf_counter()
    execute()
    cost = {"wall s": time.perf_counter() - started, "CPU s": spent() - cpu}
    ended = instance.get_run_by_id(run.run_id)
    if ended is None or ended.status is not dg.DagsterRunStatus.SUCCESS:
        raise RuntimeError(f"{run.run_id}: {ended and ended.status}")
    return cost
