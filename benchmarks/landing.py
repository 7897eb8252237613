"""From a landed file to an answer by the new version, with the daemon running and nobody near.

``python -m benchmarks.landing --json FILE`` writes each landing: wall seconds, CPU seconds of all
processes of ``abalone dev`` (of ended ones too), the load of the machine, and where the time went.
``--against FOLDER`` alternates with another checkout of the platform, whose own test support and
launcher it uses.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from abalone_assets.sample_data import base_survey
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.stack import Stack, running_stack

LANDINGS = 5
REST_SECONDS = 30.0


@dataclass(frozen=True)
class Landing:
    """One landing.

    Attributes:
        seconds: From the file's arrival to the new version's answer.
        until_quiet: To the end of the last run that followed.
        cpu_seconds: Of all processes, until then.
        idle_cpu: Processor seconds a second that they take when nothing happens.
        memory_mib: Their proportional set size afterwards.
        load: The machine's load average of one minute at the start.
        runs: Of each run: its job, seconds from the landing to its creation, start and end.
    """

    seconds: float
    until_quiet: float
    cpu_seconds: float
    idle_cpu: float
    memory_mib: float
    load: float
    runs: list[tuple[str, float, float, float]]


def main() -> None:
    """Land one survey after another, each when the one before is released and all is quiet."""
    landings = measure(LANDINGS)
    print("| landing to new version | median | min | max | n |")
    print("| --- | --- | --- | --- | --- |")
    for name in ("seconds", "cpu_seconds", "idle_cpu", "memory_mib", "load"):
        values = [getattr(landing, name) for landing in landings]
        print(
            f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} | "
            f"{max(values):.2f} | {len(values)} |"
        )


def measure(landings: int) -> list[Landing]:
    """Start ``abalone dev`` on a new home and land so many surveys."""
    environ = {
        "ABALONE_RAW_URI": str(base_survey()),
        "ABALONE_SENSOR_SECONDS": "5",
        "ABALONE_GATE_CHAMPION_TOLERANCE": "10",  # made-up rows make no better model
        "ABALONE_GATE_SLICE_TOLERANCE": "10",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "home", environ) as stack,
    ):
        stack.await_(lambda: stack.live_version() is not None, "the first version")
        return [_land(stack, number) for number in range(landings)]


def _land(stack: Stack, number: int) -> Landing:
    stack.await_(lambda: not stack.in_flight(), "the end of all runs")
    idle = _cpu_seconds(stack)
    time.sleep(REST_SECONDS)
    idle = (_cpu_seconds(stack) - idle) / REST_SECONDS
    known = {run["runId"] for run in stack.runs()}
    before, load, cpu, landed = (
        stack.live_version(),
        os.getloadavg()[0],
        _cpu_seconds(stack),
        time.time(),
    )
    stack.land(f"abalone.2025010{number + 1}120000", survey_rows(50, seed=number))
    seconds = stack.await_(lambda: stack.live_version() != before, "a new version")
    stack.await_(lambda: not stack.in_flight(), "the end of all runs")
    time.sleep(1.0)
    until_quiet, cpu = time.time() - landed, _cpu_seconds(stack) - cpu
    runs = [
        (run["jobName"], *(run[at] - landed for at in ("creationTime", "startTime", "endTime")))
        for run in stack.runs()
        if run["runId"] not in known
    ]
    return Landing(seconds, until_quiet, cpu, idle, _memory_mib(stack), load, runs[::-1])


def _processes(stack: Stack) -> list[psutil.Process]:
    dev = psutil.Process(stack.process.pid)
    return [dev, *dev.children(recursive=True)]


def _cpu_seconds(stack: Stack) -> float:
    """Of the processes that live and of the children that they have waited for."""
    total = 0.0
    for process in _processes(stack):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _memory_mib(stack: Stack) -> float:
    total = 0
    for process in _processes(stack):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 2**20


def _in(checkout: Path, landings: int) -> list[Landing]:
    """Measure another checkout, by this module."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        subprocess.run(
            [sys.executable, __file__, "--json", str(result), "--landings", str(landings)],
            check=True,
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
        )
        return [Landing(**landing) for landing in json.loads(result.read_text())["ours"]]


def _write() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.landing", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    parser.add_argument("--landings", type=int, default=LANDINGS)
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout")
    parser.add_argument("--turns", type=int, default=1, help="how often the two take turns")
    arguments = parser.parse_known_args()[0]
    ours = Path(__file__).parents[1]
    sides = {"ours": ours} | ({"other": arguments.against} if arguments.against else {})
    measured: dict[str, list[dict[str, object]]] = {name: [] for name in sides}
    for _ in range(arguments.turns):
        for name, checkout in sides.items():
            found = (
                _in(checkout, arguments.landings)
                if arguments.against
                else measure(arguments.landings)
            )
            measured[name] += map(asdict, found)
            arguments.json.write_text(json.dumps(measured, indent=1))


if __name__ == "__main__":
    _write()
