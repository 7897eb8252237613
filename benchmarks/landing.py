"""From a landed file to an answer by the new version: ours, Airflow and a plain script.

Each runs its own processes on a home of its own, warm, one after the other in turn, and nobody is
near. Airflow's tasks and the script call the functions that our assets call, and both have the
platform's own endpoint server. ``--against FOLDER`` has another checkout of the platform take part.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import requests

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.stack import running_stack
from benchmarks.peers import HERE as PEERS
from benchmarks.peers import python_of
from benchmarks.timing import OURS, Measured, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Side = Callable[[Path], AbstractContextManager["Platform"]]

ROOT: Final = Path(__file__).parents[1]
ROWS: Final = 50
REST_SECONDS: Final = 10.0
REPORT: Final = "Ours makes its report in that time, which the others do not make at all."
PATIENCE_SECONDS: Final = 240.0
ENVIRON: Final = {
    "ABALONE_RAW_URI": str(base_survey()),
    "ABALONE_GATE_CHAMPION_TOLERANCE": "10",  # made-up rows make no better model
    "ABALONE_GATE_SLICE_TOLERANCE": "10",
}


class Platform:
    """Whatever releases what lands in a home.

    Args:
        home: Its home, whose endpoint server says there where it is.
        pids: The processes that it was started as.
        is_busy: Whether it still works on what landed.
    """

    def __init__(self, home: Path, pids: list[int], is_busy: Callable[[], bool]) -> None:
        self.home, self.is_busy = home, is_busy
        self._pids = pids

    def live_version(self) -> int | None:
        """What the endpoint answers with; None before there is any."""
        try:
            url = json.loads((self.home / "endpoint" / "server.json").read_text())["url"]
            version = requests.get(f"{url}/endpoints/abalone", timeout=10).json()["version"]
        except (OSError, ValueError, KeyError, requests.RequestException):
            return None
        return None if version is None else int(version)

    def processes(self) -> list[psutil.Process]:
        """All that live."""
        found = [psutil.Process(pid) for pid in self._pids if psutil.pid_exists(pid)]
        return [*found, *(child for each in found for child in each.children(recursive=True))]

    def await_(self, done: Callable[[], bool], what: str) -> float:
        """Seconds until it is so.

        Raises:
            TimeoutError: It took too long.
        """
        started = time.monotonic()
        while not done():
            if time.monotonic() - started > PATIENCE_SECONDS:
                raise TimeoutError(f"not within {PATIENCE_SECONDS:g} s: {what}")
            time.sleep(0.1)
        return time.monotonic() - started


@contextmanager
def ours(home: Path, checkout: Path = ROOT) -> Iterator[Platform]:
    """``abalone dev`` with its sensors at their defaults."""
    # PYTHONSAFEPATH: or the folder that it is started in came first.
    environ = {**ENVIRON, "PYTHONPATH": str(checkout), "PYTHONSAFEPATH": "1"}
    with running_stack(home, environ) as stack:
        yield Platform(home, [stack.process.pid], stack.in_flight)


@contextmanager
def plain(home: Path) -> Iterator[Platform]:
    """A loop over the landing folder."""
    watching = [sys.executable, "-m", "benchmarks.plain_release", "--watch"]
    with _serving(home) as server, _running(watching, home, {}) as loop:
        yield Platform(home, [server.pid, loop.pid], lambda: False)


@contextmanager
def airflow(home: Path) -> Iterator[Platform]:
    """``airflow standalone``: LocalExecutor, SQLite, every process that it starts by itself."""
    python, port = python_of("airflow"), str(_free_port())
    subprocess.run(
        [sys.executable, "-m", "benchmarks.plain_release"],
        check=True,
        env=_environ(home, {}),
        capture_output=True,
    )
    environ = {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PEERS / "airflow" / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [str(python), "-m", "airflow", "standalone"]
    with _serving(home) as server, _running(command, home, environ) as standalone:
        yield Platform(home, [server.pid, standalone.pid], lambda: False)


SIDES: Final[dict[str, Side]] = {OURS: ours, "Airflow": airflow, "plain script": plain}


def measure(options: Options) -> Measured:
    """Land surveys on each in turn: in every round each starts anew and is warmed by a landing."""
    landings = 1 if options.quick else 2
    rounds = max(1, options.turns(4) // landings)
    measured = Measured(
        "landing",
        notes=[f"CPU is of all processes until {REST_SECONDS:g} s after the answer. {REPORT}"],
    )
    sides = dict(SIDES)
    if options.against:
        sides[f"ours of {options.against.name}"] = partial(ours, checkout=options.against)
    values: dict[str, dict[str, list[float]]] = {name: {} for name in sides}
    errors = dict.fromkeys(sides, "")
    for _ in range(rounds):
        for name, side in sides.items():
            try:
                for found in _round(side, landings):
                    for key, value in found.items():
                        values[name].setdefault(key, []).append(value)
            except Exception as error:  # noqa: BLE001 - told of; the other sides go on
                errors[name] = f"{type(error).__name__}: {error}"[:300]
                print(f"landing: {name}: {errors[name]}", file=sys.stderr, flush=True)
    for name in sides:
        measured.add(name, values[name], error=errors[name])
    return measured


def _round(side: Side, landings: int) -> Iterator[dict[str, float]]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder, "home")
        home.mkdir()
        with side(home) as platform:
            platform.await_(lambda: platform.live_version() is not None, "the first version")
            for number in range(landings + 1):
                found = _landing(platform, number)
                if number:
                    yield found


def _landing(platform: Platform, number: int) -> dict[str, float]:
    platform.await_(lambda: not platform.is_busy(), "the end of all runs")
    idle = _cpu_seconds(platform)
    time.sleep(REST_SECONDS)
    idle = (_cpu_seconds(platform) - idle) / REST_SECONDS
    before, cpu, load = platform.live_version(), _cpu_seconds(platform), os.getloadavg()[0]
    name = f"abalone.2025010{number + 1}120000"
    FolderLandingZone(platform.home / "landing_zone").land(name, survey_rows(ROWS, seed=number))
    seconds = platform.await_(lambda: platform.live_version() != before, "a new version")
    platform.await_(lambda: not platform.is_busy(), "the end of all runs")
    time.sleep(REST_SECONDS)
    return {
        "landed to answer s": seconds,
        "CPU s": _cpu_seconds(platform) - cpu - idle * REST_SECONDS,
        "idle CPU %": 100 * idle,
        "memory MiB (PSS)": _memory_mib(platform),
        "processes": float(len(platform.processes())),
        "load": load,
    }


def _environ(home: Path, environ: dict[str, str]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **ENVIRON, "ABALONE_HOME": str(home), "PYTHONPATH": path, **environ}


@contextmanager
def _running(
    command: list[str], home: Path, environ: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with (home / f"{secrets.token_hex(4)}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=_environ(home, environ),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    tree = psutil.Process(process.pid)
    try:
        yield process
    finally:
        children = tree.children(recursive=True)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        _, alive = psutil.wait_procs(children, timeout=10)
        for child in alive:
            child.kill()


@contextmanager
def _serving(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    (home / "landing_zone").mkdir()
    command = [sys.executable, "-m", "abalone_assets.cli", "serve", "--port", "0"]
    with _running(command, home, {}) as server:
        yield server


def _free_port() -> int:
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _cpu_seconds(platform: Platform) -> float:
    """Of the processes that live and of the children that they have waited for."""
    total = 0.0
    for process in platform.processes():
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _memory_mib(platform: Platform) -> float:
    total = 0
    for process in platform.processes():
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 2**20
