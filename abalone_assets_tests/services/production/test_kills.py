"""A process of production is killed at a step's boundary, and no hand mends it.

The services of ``deploy/compose.yaml`` as processes, and a supervisor that starts again what has
ended, as Docker does. The suite kills a few; ``make soak-kills`` each at every boundary.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import dagster as dg
import psutil
import pytest

from abalone_assets_tests.services.production.postgres import Cluster, running_cluster
from abalone_assets_tests.services.production.services import Services, running_services
from abalone_assets_tests.support.kills import (
    LOOK_SECONDS,
    TIMES,
    Boundary,
    Killed,
    Supervised,
    planned,
    summary,
    tree_of,
)
from abalone_assets_tests.support.platform import small_base
from abalone_assets_tests.support.quick_daemon import quick_daemon
from abalone_assets_tests.support.tiny_models import TINY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KINDS: Final = {
    "code-location": ("abalone_assets.local.code_location",),
    "daemon": ("dagster-daemon run",),
    "webserver": ("dagster-webserver",),
    "endpoint": ("abalone serve",),
}
LONG: Final = "postgres for half a minute"
WITH_WORKER: Final = "postgres for half a minute and a worker"
"""The worker's end comes while nobody can record it."""

PROCESSES: Final = ("worker", *KINDS, "postgres", LONG, WITH_WORKER, "all of them")
AWAY_SECONDS: Final = 30.0
"""Longer than Dagster tries to connect, which is some eleven seconds."""

SELECTED: Final = [(WITH_WORKER, Boundary("release", "evaluation", "STEP_SUCCESS"))]
"""The code location ends with them; `make soak-kills` kills all the others."""


@dataclass
class Compose(Supervised):
    """The services and their database.

    Attributes:
        services: Of the Compose file, but for the database.
        cluster: The database.
        away: How many seconds it stays away when it is killed the next time.
    """

    services: Services
    cluster: Cluster
    away: float = 0.0

    def __post_init__(self) -> None:
        self.home = self.services.home

    def tend(self) -> list[str]:
        started = self.services.tend()
        if self.cluster.process.poll() is None:
            return started
        back = time.monotonic() + self.away
        while time.monotonic() < back:
            started += self.services.tend()
            time.sleep(LOOK_SECONDS)
        self.cluster.start_again()
        return [*started, "postgres"]

    def pids(self, process: str, run: dg.DagsterRun) -> list[int]:
        self.away = AWAY_SECONDS if process in {LONG, WITH_WORKER} else 0.0
        if process == "worker":
            return _worker_of(run)
        if process == "all of them":
            return [pid for root in self.roots() for pid in tree_of(root)]
        if process in {"postgres", LONG}:
            return tree_of(self.cluster.process.pid)
        if process == WITH_WORKER:  # the database first
            worker = list(filter(psutil.pid_exists, _worker_of(run)))
            return [*tree_of(self.cluster.process.pid), *worker] if worker else []
        return tree_of(self.services.processes[process].pid)

    def roots(self) -> list[int]:
        return [self.cluster.process.pid, *(each.pid for each in self.services.processes.values())]

    def kinds(self) -> dict[str, Sequence[str]]:
        return dict(KINDS)

    def tail(self) -> str:
        return self.services.tails()


def _worker_of(run: dg.DagsterRun) -> list[int]:
    """The process that executes the run, as its events say it."""
    with dg.DagsterInstance.get() as instance:
        logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    events = [each.dagster_event for each in logs if each.dagster_event]
    told = [event.engine_event_data.metadata.get("pid") for event in events]
    return [int(str(pid.value)) for pid in told if pid][-1:]


@pytest.fixture(scope="module")
def killed(postgres_programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    """The services on a database of their own, which forgets nothing that it has committed."""
    folder = tmp_path_factory.mktemp("killed")
    chosen = {
        **small_base(folder),
        "HYPERPARAMETERS": json.dumps(TINY),
        "SENSOR_SECONDS": "2",
        "RETRY_SECONDS": "1",
        "GATE_CHAMPION_TOLERANCE": "10",
        "GATE_SLICE_TOLERANCE": "10",
        "NOTIFY": "",
    }
    environ = {**{f"ABALONE_{name}": each for name, each in chosen.items()}, **quick_daemon()}
    with (
        running_cluster(postgres_programs, synchronous_commit="on") as cluster,
        running_services(folder, cluster.create_database(), environ, {}) as services,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in [each for each in os.environ if each.startswith("ABALONE_")]:
            if not name.startswith("ABALONE_TEST_"):
                patch.delenv(name)
        for name, value in services.environment.items():
            if name.startswith(("ABALONE_", "DAGSTER_")):
                patch.setenv(name, value)
        with dg.DagsterInstance.get() as instance:
            killed = Killed(Compose(services, cluster), instance)
            try:
                yield killed
            finally:
                print(summary(killed.kills))  # noqa: T201 - what `make soak-kills` is run for


@pytest.mark.xdist_group("postgres")  # two such stacks at once take minutes more
@pytest.mark.timeout(0 if TIMES else 1800)
def test_killed_at_a_boundary_it_converges_without_a_hand(killed: Killed) -> None:
    killed.kill_all(planned(PROCESSES, SELECTED))
