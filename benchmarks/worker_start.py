"""A run's process: forked from the warm one, against the cold interpreter of Dagster's launcher.

Each run is an ingestion of a day without a file, so it is start, imports, definitions and events.
"""

from __future__ import annotations

import json
import os
import statistics
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

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 7
PLATFORM = ReconstructableRepository(ModuleCodePointer("abalone_assets.definitions", "defs", None))


def main() -> None:
    """Take turns after one warm-up each; print the medians, and as JSON all of it."""
    with tempfile.TemporaryDirectory() as folder, home_environment(Path(folder)) as settings:
        prepare_instance(settings)
        with dg.DagsterInstance.get() as instance:
            sides = {"forked": _forked, "cold": _cold}
            measured: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
            for turn in range(RUNS + 1):
                for name, run in sides.items():
                    cost = run(instance, _new_run(instance))
                    if turn:
                        measured[name].append(cost)
            assert isinstance(instance.run_launcher, WarmRunLauncher)
            host = instance.run_launcher.host
            memory = host.memory_full_info().pss / 2**20 if host else 0.0
    print("| | CPU s | wall s | min | max | n |\n| --- | --- | --- | --- | --- | --- |")
    for name, costs in measured.items():
        cpu, wall = ([cost[which] for cost in costs] for which in (0, 1))
        print(
            f"| {name} | {statistics.median(cpu):.2f} | {statistics.median(wall):.2f} | "
            f"{min(wall):.2f} | {max(wall):.2f} | {len(costs)} |"
        )
    print(f"\nthe warm process: {memory:.0f} MiB (PSS)\n\n{json.dumps(measured)}")


def _new_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    job = PLATFORM.get_reconstructable_job(INGEST_JOB)
    return instance.create_run_for_job(
        job.get_definition(),
        job_code_origin=job.get_python_origin(),
        tags={PARTITION_TAG: "2024-01-01"},
    )


def _forked(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[float, float]:
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


def _cold(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[float, float]:
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
) -> tuple[float, float]:
    """Processor and wall seconds.

    Raises:
        RuntimeError: The run failed.
    """
    cpu, started = spent(), time.perf_counter()
    execute()
    cost = spent() - cpu, time.perf_counter() - started
    ended = instance.get_run_by_id(run.run_id)
    if ended is None or ended.status is not dg.DagsterRunStatus.SUCCESS:
        raise RuntimeError(f"{run.run_id}: {ended and ended.status}")
    return cost


if __name__ == "__main__":
    main()
