"""A process of the running platform is killed at a step's boundary, and no hand mends it.

At each boundary that a run records, one landing: its run comes there, the process gets SIGKILL, and
everything must be ingested, released and live in the end. Where `abalone dev` ends with the
process, it is started again, as a supervisor does. The suite kills a few; ``make soak-kills`` all,
so many times: ``TIMES=3``.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg
import psutil
import pytest

from abalone_assets.local.instance import process_of
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.versions import desired_of
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.support.platform import small_base, survey_rows
from abalone_assets_tests.support.platform_world import TINY
from abalone_assets_tests.support.quick_daemon import quick_daemon
from abalone_assets_tests.support.stack import Stack, StackError, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMES: Final = int(os.environ.get("ABALONE_TEST_KILLS", "0"))
"""How often each boundary is killed; 0 for the selection of the suite."""

STEPS: Final = {
    "ingest_surveys": ["parse_survey_days"],
    "release": [
        *("prepare", "trained_model", "evaluation", "approved_model", "endpoint"),
        "evaluation_report",
    ],
}
ENDS: Final = ("STEP_START", "STEP_SUCCESS")
PROCESSES: Final = ("worker", "code server", "daemon", "webserver", "endpoint", "all of them")
SELECTED: Final = [
    ("worker", "ingest_surveys", "parse_survey_days", "STEP_START"),
    ("code server", "release", "trained_model", "STEP_START"),
    ("all of them", "release", "approved_model", "STEP_SUCCESS"),
]
ALL: Final = [
    (process, job, step, end)
    for process in PROCESSES
    for job, steps in STEPS.items()
    for step in steps
    for end in ENDS
]
BOUNDARIES: Final = ALL * TIMES if TIMES else SELECTED
SECONDS: Final = 600.0
STARTS: Final = 5
POLL_SECONDS: Final = 0.02


@dataclass
class Killed:
    """A home whose platform is killed again and again.

    Attributes:
        home: Its folder.
        environ: Its variables.
        landed: How many surveys have landed.
        told: How long each took to converge, by what was killed where.
    """

    home: Path
    environ: dict[str, str]
    landed: int = 0
    told: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[Stack]:
        """The platform, which may end; one that is too late to start is started again."""
        for left in reversed(range(STARTS)):
            started = running_stack(self.home, self.environ)
            try:
                stack = started.__enter__()
                break
            except StackError:
                if not left:
                    raise
        with ExitStack() as stack_of:
            stack_of.push(started)
            yield stack

    def kill_at(self, stack: Stack, process: str, job: str, step: str, end: str) -> int:
        """Land a survey, wait for the boundary in a new run, and kill; how many processes."""
        with dg.DagsterInstance.from_config(str(self.home / "dagster")) as instance:
            known = {run.run_id for run in instance.get_runs()}
            day, rest = divmod(self.landed, 20)
            name = f"abalone.202401{day + 1:02}{rest:02}0000"
            stack.land(name, survey_rows(3, seed=self.landed % 50 + 60))
            self.landed += 1
            run = _await_boundary(stack, instance, known, job, step, end)
        pids = pids_of(stack, process, run)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it has come to its end meanwhile
        return len(pids)


def _await_boundary(
    stack: Stack, instance: dg.DagsterInstance, known: set[str], job: str, step: str, end: str
) -> dg.DagsterRun:
    deadline = time.monotonic() + SECONDS
    of_type = dg.DagsterEventType(end)
    while time.monotonic() < deadline:
        for run in instance.get_runs(dg.RunsFilter(job_name=job)):
            if run.run_id in known:
                continue
            logs = instance.all_logs(run.run_id, of_type=of_type)
            if any(each.dagster_event and each.dagster_event.step_key == step for each in logs):
                return run
        if stack.process.poll() is not None:
            raise StackError(f"the stack ended: {stack.tail()}")
        time.sleep(POLL_SECONDS)
    raise StackError(f"no run of {job} came to {end} of {step}: {stack.tail()}")


MARKS: Final = {
    "code server": ("dagster", "api grpc"),
    "daemon": ("dagster", "dagster._daemon"),
    "webserver": ("dagster", "dagster_webserver"),
    "endpoint": ("abalone_assets.cli serve",),
}


def pids_of(stack: Stack, process: str, run: dg.DagsterRun) -> list[int]:
    """The processes of that kind that `abalone dev` has started, at any depth."""
    if process == "worker":
        identity = process_of(run)
        return [int(identity.partition("/")[0])] if identity else []
    started = psutil.Process(stack.process.pid).children(recursive=True)
    if process == "all of them":
        return [stack.process.pid, *(each.pid for each in started)]
    found = []
    for each in started:
        try:
            command = " ".join(each.cmdline())
        except psutil.Error:
            continue
        if all(mark in command for mark in MARKS[process]):
            found.append(each.pid)
    return found


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    """A home, and what this process reads its instance with."""
    folder = tmp_path_factory.mktemp("killed")
    environ = {
        **{f"ABALONE_{name}": value for name, value in small_base(folder).items()},
        **quick_daemon(),
        "ABALONE_HYPERPARAMETERS": json.dumps(TINY),
        "ABALONE_SENSOR_SECONDS": "2",
        "ABALONE_RETRY_SECONDS": "1",
        "ABALONE_GATE_CHAMPION_TOLERANCE": "10",
        "ABALONE_GATE_SLICE_TOLERANCE": "10",
    }
    found = Killed(folder / "home", environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(found.home / "dagster"))
        yield found
    if "ABALONE_TEST_KILLS_LOG" in os.environ:  # once all is over, whatever became of it
        Path(os.environ["ABALONE_TEST_KILLS_LOG"]).write_text("\n".join([*found.told, ""]))


@pytest.mark.xdist_group("kills")
@pytest.mark.timeout(0 if TIMES else 1800)
def test_killed_at_a_boundary_it_converges_without_a_hand(killed: Killed) -> None:
    left = list(BOUNDARIES)
    missed: list[str] = []
    while left:
        with killed.running() as stack:
            stack.await_release(seconds=SECONDS)
            while left and stack.process.poll() is None:
                process, job, step, end = left.pop(0)
                count = killed.kill_at(stack, process, job, step, end)
                began = time.monotonic()
                what = f"{process} at {end} of {job}.{step}"
                if not count:
                    missed.append(what)
                if _converges_or_ends(stack):
                    killed.told.append(f"{time.monotonic() - began:.1f} s: {what}")
                    continue
                stack.process.wait(SECONDS)
                with killed.running() as again:
                    again.await_release(seconds=SECONDS)
                    killed.told.append(f"{time.monotonic() - began:.1f} s: {what}, started again")
                    _check(killed, again)
            if stack.process.poll() is None:
                _check(killed, stack)
    assert missed == []


def _converges_or_ends(stack: Stack) -> bool:
    """Whether it converged; False when `abalone dev` has ended, or does."""
    while stack.process.poll() is None:
        try:
            stack.await_release(seconds=SECONDS)
        except StackError:
            if stack.process.poll() is None:
                raise
            return False
        time.sleep(3.0)  # dev looks at its children ten times a second, and needs a while to end
        return stack.process.poll() is None
    return False


def _check(killed: Killed, stack: Stack) -> None:
    """All rows are there once, and what should be live is."""
    manifest = stack.lake.manifest()
    assert sum(manifest.rows_of(day) for day in manifest.days_with_rows) == 3 * killed.landed
    desired = desired_of(FolderRegistry(ObjectStore(stack.home / "registry")).candidates())
    assert desired is not None
    stack.await_(
        lambda: stack.live_version() == desired.version, "what should be live is", seconds=60
    )
