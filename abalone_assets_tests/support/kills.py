"""Kills processes of a running platform at the boundaries of a run's steps, and judges the rest.

A supervisor starts again what has ended, as production's does; no hand mends anything.
"""

from __future__ import annotations

import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from statistics import median
from typing import TYPE_CHECKING, Final

import dagster as dg
import psutil
import requests

from abalone_assets import definitions
from abalone_assets.doctor.verify.run import verify
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.holder import process_lives
from abalone_assets.lake.lake import Lake
from abalone_assets.local.run import LocalPlatform
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.versions import desired_of
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import processes_of
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from abalone_assets.lake.manifest import Manifest

TIMES: Final = int(os.environ.get("ABALONE_TEST_KILLS", "0"))
"""How often each boundary is killed; 0 for the selection of the suite."""

FIRST: Final = int(os.environ.get("ABALONE_TEST_KILLS_FROM", "0"))
"""The number of the first kill: a series that was cut short goes on there."""

STEPS: Final = {
    "ingest_surveys": ["parse_survey_days"],
    "release": [
        *("prepare", "trained_model", "evaluation", "approved_model", "endpoint"),
        "evaluation_report",
    ],
}
ENDS: Final = ("STEP_START", "STEP_SUCCESS")
SENSORS: Final = ("survey_sensor", "release_sensor", "approval_sensor", "animals_sensor")

SECONDS: Final = 900.0
POLL_SECONDS: Final = 0.05
END_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.25
ROWS: Final = 3
ATTEMPTS: Final = 3
"""How often a kill is tried whose process had ended before: the last step's end is the run's."""


class KillError(Exception):
    """A promise that was not kept, or a boundary that no run came to."""


@dataclass(frozen=True)
class Boundary:
    """The beginning or the end of a step, as its run records it."""

    job: str
    step: str
    end: str

    def __str__(self) -> str:
        return f"{self.end} of {self.job}.{self.step}"


BOUNDARIES: Final = [
    Boundary(job, step, end) for job, steps in STEPS.items() for step in steps for end in ENDS
]


def planned(
    processes: Sequence[str], selected: Sequence[tuple[str, Boundary]]
) -> list[tuple[str, Boundary]]:
    """What is killed where: every process at every boundary, or the selection of the suite."""
    every = [(process, boundary) for process in processes for boundary in BOUNDARIES]
    return (every * TIMES)[FIRST:] if TIMES else list(selected)


@dataclass(frozen=True)
class Kill:
    """What became of a kill.

    Attributes:
        process: What was killed.
        boundary: Where.
        seconds: Until all that had landed was released and live, no run was in flight, and the
            processes were those that there should be.
        started_again: The processes that the supervisor started meanwhile.
    """

    process: str
    boundary: Boundary
    seconds: float
    started_again: list[str]

    def __str__(self) -> str:
        again = f"; started again: {', '.join(self.started_again)}" if self.started_again else ""
        return f"{self.seconds:6.1f} s: {self.process} at {self.boundary}{again}"


class Supervised(ABC):
    """A running platform whose supervisor is the test.

    Attributes:
        home: Its home, which this process's environment names too.
    """

    home: Path

    @abstractmethod
    def tend(self) -> list[str]:
        """Start again what has ended; the names of that."""

    @abstractmethod
    def pids(self, process: str, run: dg.DagsterRun) -> list[int]:
        """The processes of that kind, of which ``worker`` is the one that executes the run."""

    @abstractmethod
    def roots(self) -> list[int]:
        """The processes that the supervisor has started, and that live."""

    @abstractmethod
    def kinds(self) -> dict[str, Sequence[str]]:
        """Of which processes there is one each: what their command lines contain, by name."""

    @abstractmethod
    def tail(self) -> str:
        """The end of what it has logged."""


@dataclass
class Killed:
    """A platform that is killed again and again.

    Attributes:
        platform: What is killed.
        instance: Its Dagster instance, as this process reads it.
        definitions: Its definitions.
        landed: How many surveys have landed.
        kills: What became of each kill.
    """

    platform: Supervised
    instance: dg.DagsterInstance
    definitions: dg.Definitions = field(default_factory=definitions.defs)
    landed: int = 0
    kills: list[Kill] = field(default_factory=list)

    def kill_all(self, plan: Iterable[tuple[str, Boundary]]) -> None:
        """Kill at each boundary, and judge the platform when it has converged.

        Raises:
            KillError: A promise was not kept.
        """
        self.land()
        self.converge()
        for process, boundary in plan:
            if not any(self.kill(process, boundary) for _ in range(ATTEMPTS)):
                raise KillError(f"{process} had ended before each {boundary}")

    def kill(self, process: str, boundary: Boundary) -> bool:
        """Land a survey, wait for the boundary in a new run, kill, converge, and judge.

        Returns:
            Whether there was a process to kill.
        """
        known = {run.run_id for run in self.instance.get_runs()}
        self.land()
        run = self._await_boundary(known, boundary)
        began = time.monotonic()
        killed = list(filter(kill_process, self.platform.pids(process, run)))
        _await_end(killed)
        started = self.converge()
        seconds = time.monotonic() - began
        self.judge()
        if killed:
            self.kills.append(Kill(process, boundary, seconds, started))
            print(self.kills[-1], flush=True)  # noqa: T201 - a series takes hours
        return bool(killed)

    def land(self) -> None:
        """Land a survey of three animals that no other has, of a day that twenty surveys share."""
        day, rest = divmod(self.landed, 20)
        name = f"abalone.202401{day + 1:02}{rest:02}0000"
        zone = open_landing_zone(load_settings().landing_zone_uri)
        zone.land(name, survey_rows(ROWS, seed=self.landed + 60))
        self.landed += 1

    def converge(self) -> list[str]:
        """Wait until all is ingested, released and live, by the processes that there should be.

        Returns:
            The names of what was started again.

        Raises:
            KillError: It does not come to that.
        """
        started: list[str] = []
        deadline = time.monotonic() + SECONDS
        while True:
            started += self.platform.tend()
            if self._is_released() and not self._strays():
                return started
            if time.monotonic() > deadline:
                missed = self._strays() or "everything is released and live"
                raise KillError(f"not within {SECONDS:g} s: {missed}\n{self.platform.tail()}")
            time.sleep(LOOK_SECONDS)

    def judge(self) -> None:
        """Check the promises.

        Raises:
            KillError: One was not kept.
        """
        settings = load_settings()
        if lost := self.lost(Lake(settings.lake_uri).manifest()):
            raise KillError(lost)
        amiss = [each for each in verify(settings) if each.outcome == "failed"]
        if amiss:
            raise KillError(f"not as recorded: {amiss}")
        asking = LocalPlatform(self.definitions, self.instance)
        asked = {name: asking.tick(name).run_requests for name in SENSORS}
        if any(asked.values()):
            raise KillError(f"the next ticks ask for runs: {asked}")

    def lost(self, manifest: Manifest) -> str:
        """What is not in its place of all that landed; empty when all is."""
        rows = sum(manifest.rows_of(day) for day in manifest.days_with_rows)
        landed = ROWS * self.landed
        return "" if rows == landed else f"{rows} rows of {landed} that landed"

    def _is_released(self) -> bool:
        settings = load_settings()
        zone, lake = open_landing_zone(settings.landing_zone_uri), Lake(settings.lake_uri)
        due = find_due(zone.scan(date.min, datetime.now(UTC).date()), lake.manifest(), zone.read)
        if due.days or lake.release_due():
            return False
        desired = desired_of(open_registry(settings).candidates())
        if desired is None or self._live_version(settings.endpoint_state_file) != desired.version:
            return False
        return all(run.is_finished for run in self.instance.get_runs(limit=10))

    def _live_version(self, state_file: Path) -> int | None:
        try:
            url = json.loads(state_file.read_text())["url"]
            answer = requests.get(f"{url}/endpoints/abalone", timeout=10)
        except (OSError, ValueError):
            return None
        version = answer.json()["version"]
        return None if version is None else int(version)

    def _strays(self) -> list[str]:
        """Processes of the home that nobody supervises, and kinds of which there is not one."""
        supervised: set[int] = set()
        for root in self.platform.roots():
            try:
                children = psutil.Process(root).children(recursive=True)
            except psutil.Error:
                continue
            supervised |= {root, *(each.pid for each in children)}
        found = processes_of(self.platform.home)
        strays = [str(each) for each in found if each.pid not in supervised]
        for kind, marks in self.platform.kinds().items():
            count = sum(all(mark in each.command for mark in marks) for each in found)
            strays += [f"{count} of {kind}"] if count != 1 else []
        return strays

    def _await_boundary(self, known: set[str], boundary: Boundary) -> dg.DagsterRun:
        of_type = dg.DagsterEventType(boundary.end)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            self.platform.tend()  # what a kill before has left may end later
            for run in self.instance.get_runs(dg.RunsFilter(job_name=boundary.job), limit=3):
                if run.run_id in known:
                    continue
                logs = self.instance.all_logs(run.run_id, of_type=of_type)
                events = [each.dagster_event for each in logs if each.dagster_event]
                if any(event.step_key == boundary.step for event in events):
                    return run
            time.sleep(POLL_SECONDS)
        raise KillError(f"no run came to {boundary}: {self.platform.tail()}")


def worker_of(identity: str | None) -> list[int]:
    """The process of an identity, if it lives."""
    if identity is None or not process_lives(identity):
        return []
    return [int(identity.partition("/")[0])]


def tree_of(pid: int) -> list[int]:
    """A process and all that it has started."""
    try:
        return [pid, *(each.pid for each in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return []


def kill_process(pid: int) -> bool:
    """Send SIGKILL; whether there was such a process."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False  # it has come to its end meanwhile
    return True


def _await_end(pids: Iterable[int]) -> None:
    """Wait for what was killed, which its supervisor would take for alive for a moment yet."""
    deadline = time.monotonic() + END_SECONDS
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def summary(kills: Sequence[Kill]) -> str:
    """The ledger: by process, how many kills, and how long they took to converge."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for kill in kills:
        seconds[kill.process].append(kill.seconds)
    lines = [
        f"{process}: {len(each)} kills, {median(each):.1f} s (at most {max(each):.1f} s)"
        for process, each in seconds.items()
    ]
    return "\n".join(lines)
