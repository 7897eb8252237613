"""A process of `abalone dev` is killed at a step's boundary, and no hand mends it.

At each boundary that a run records, one landing: its run comes there, the process gets SIGKILL, and
everything must be ingested, released and live in the end, with nothing left. Where `abalone dev`
ends with the process, it is started again, as a supervisor does. The suite kills a few; ``make
soak-kills`` all, so many times: ``TIMES=3``.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import dagster as dg
import psutil
import pytest

from abalone_assets.local.instance import prepare_instance, process_of
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.support.kills import (
    TIMES,
    Boundary,
    Killed,
    Supervised,
    planned,
    summary,
    tree_of,
    worker_of,
)
from abalone_assets_tests.support.platform import small_base
from abalone_assets_tests.support.platform_world import TINY
from abalone_assets_tests.support.quick_daemon import quick_daemon
from abalone_assets_tests.support.stack import Stack, StackError, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KINDS: Final = {
    "code server": ("dagster", "api grpc"),
    "daemon": ("dagster._daemon",),
    "webserver": ("dagster_webserver",),
    "endpoint": ("abalone_assets.cli serve",),
}
PROCESSES: Final = ("worker", *KINDS, "all of them")
SELECTED: Final = [
    ("worker", Boundary("ingest_surveys", "parse_survey_days", "STEP_START")),
    ("code server", Boundary("release", "trained_model", "STEP_START")),
    ("all of them", Boundary("release", "approved_model", "STEP_SUCCESS")),
]
STARTS: Final = 5


@dataclass
class Dev(Supervised):
    """`abalone dev`, started whenever it has ended."""

    home: Path
    stack: Stack | None = None
    _running: ExitStack = field(default_factory=ExitStack)

    def tend(self) -> list[str]:
        """Start it where it has ended; one that is too late to start is started again."""
        if self.stack is not None and self.stack.process.poll() is None:
            return []
        self.close()
        again, self.stack = self.stack is not None, None
        for left in reversed(range(STARTS)):
            try:
                self.stack = self._running.enter_context(running_stack(self.home))
                break
            except StackError:
                if not left:
                    raise
        return ["abalone dev"] if again else []

    def close(self) -> None:
        """Press Ctrl-C where it runs."""
        self._running.close()

    def pids(self, process: str, run: dg.DagsterRun) -> list[int]:
        if process == "worker":
            return worker_of(process_of(run))
        started = [pid for root in self.roots() for pid in tree_of(root)]
        if process == "all of them":
            return started
        marks = KINDS[process]
        return [pid for pid in started if all(mark in _command(pid) for mark in marks)]

    def roots(self) -> list[int]:
        return [] if self.stack is None else [self.stack.process.pid]

    def kinds(self) -> dict[str, Sequence[str]]:
        return {**KINDS, "what starts code servers": ("dagster", "code-server start")}

    def tail(self) -> str:
        return "" if self.stack is None else self.stack.tail()


def _command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    """A home that is this process's too, and the platform on it."""
    folder = tmp_path_factory.mktemp("killed")
    chosen = {
        **small_base(folder),
        "HOME": str(folder / "home"),
        "HYPERPARAMETERS": json.dumps(TINY),
        "SENSOR_SECONDS": "2",
        "RETRY_SECONDS": "1",
        "GATE_CHAMPION_TOLERANCE": "10",
        "GATE_SLICE_TOLERANCE": "10",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in [each for each in os.environ if each.startswith("ABALONE_")]:
            if not name.startswith("ABALONE_TEST_"):
                patch.delenv(name)
        for name, value in {f"ABALONE_{name}": each for name, each in chosen.items()}.items():
            patch.setenv(name, value)
        for name, value in quick_daemon().items():
            patch.setenv(name, value)
        settings = load_settings()
        patch.setenv("DAGSTER_HOME", str(prepare_instance(settings)))
        dev = Dev(settings.home)
        with dg.DagsterInstance.get() as instance:
            killed = Killed(dev, instance)
            try:
                yield killed
            finally:
                print(summary(killed.kills))  # noqa: T201 - what `make soak-kills` is run for
                dev.close()


@pytest.mark.xdist_group("kills")
@pytest.mark.timeout(0 if TIMES else 1800)
def test_killed_at_a_boundary_it_converges_without_a_hand(killed: Killed) -> None:
    killed.kill_all(planned(PROCESSES, SELECTED))
