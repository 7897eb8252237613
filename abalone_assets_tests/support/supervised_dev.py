"""`abalone dev` under a supervisor, on a home whose models are small and quickly released."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import psutil

from abalone_assets.local.instance import prepare_instance, process_of
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.support.kills import Supervised, tree_of, worker_of
from abalone_assets_tests.support.platform import small_base
from abalone_assets_tests.support.quick_daemon import quick_daemon
from abalone_assets_tests.support.stack import Stack, StackError, running_stack
from abalone_assets_tests.support.tiny_models import TINY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import dagster as dg

KINDS: Final = {
    "code server": ("dagster", "api grpc"),
    "daemon": ("dagster._daemon",),
    "webserver": ("dagster_webserver",),
    "endpoint": ("abalone_assets.cli serve",),
}
STARTS: Final = 5


@dataclass
class SupervisedDev(Supervised):
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
        return [pid for pid in started if all(mark in command_of(pid) for mark in marks)]

    def roots(self) -> list[int]:
        return [] if self.stack is None else [self.stack.process.pid]

    def kinds(self) -> dict[str, Sequence[str]]:
        return {**KINDS, "what starts code servers": ("dagster", "code-server start")}

    def tail(self) -> str:
        return "" if self.stack is None else self.stack.tail()


def command_of(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


@contextmanager
def supervised_dev(
    folder: Path, chosen: Mapping[str, str] | None = None
) -> Iterator[SupervisedDev]:
    """One whose home is this process's too; it starts when it is tended.

    Args:
        folder: Where the home and its base survey shall be.
        chosen: Settings besides those of a quick platform, without their prefix.
    """
    quick = {
        **small_base(folder),
        "HOME": str(folder / "home"),
        "HYPERPARAMETERS": json.dumps(TINY),
        "SENSOR_SECONDS": "2",
        "RETRY_SECONDS": "1",
        "GATE_CHAMPION_TOLERANCE": "10",
        "GATE_SLICE_TOLERANCE": "10",
        **(chosen or {}),
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ABALONE_") or name.startswith("ABALONE_TEST_")
    }
    environ = {
        **kept,
        **{f"ABALONE_{name}": each for name, each in quick.items()},
        **quick_daemon(),
    }
    with patch.dict(os.environ, environ, clear=True):
        settings = load_settings()
        os.environ["DAGSTER_HOME"] = str(prepare_instance(settings))
        dev = SupervisedDev(settings.home)
        try:
            yield dev
        finally:
            dev.close()
