"""Runs in processes that are forked from a warm one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import psutil
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX

from abalone_assets.lake.holder import process_lives
from abalone_assets.local import launcher as module
from abalone_assets.local.instance import PROCESS_TAG, fail_orphaned_runs
from abalone_assets.local.launcher import WarmRunLauncher
from abalone_assets_tests.support.instance import make_dagster_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(not module.HAS_FORK, reason="no fork is safe here"),
    pytest.mark.xdist_group("launched"),
]

SECONDS: Final = 60.0
LAUNCHER: Final = """
run_launcher:
  module: abalone_assets.local.launcher
  class: WarmRunLauncher
"""
CODE: Final = """
import os, sys, threading, time
from pathlib import Path
import dagster as dg

FOLDER = Path(__file__).parent

@dg.asset
def thing():
    import numpy as np
    loaded = ",".join(sorted({"abalone_assets.definitions", "polars"} & set(sys.modules)))
    (FOLDER / "began").write_text(f"{os.getpid()} {threading.active_count()} {WORD} {loaded}")
    print("said by the step")
    rows = np.ones((300, 300))
    assert (rows @ rows)[0, 0] == 300  # OpenBLAS makes its threads anew
    while not (FOLDER / "go on").exists():
        time.sleep(0.02)
    if (FOLDER / "fail").exists():
        raise ValueError("it fails")

job = dg.define_asset_job("job", "thing")
defs = dg.Definitions([thing], jobs=[job], executor=dg.in_process_executor)
"""


class Launched:
    """An instance with the launcher, and a job in a module of its own that waits for a word."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self.instance = instance
        launcher = instance.run_launcher
        assert isinstance(launcher, WarmRunLauncher)
        self.launcher = launcher

    def launch(self) -> str:
        (self.folder / "began").unlink(missing_ok=True)
        pointer = ModuleCodePointer("launched_code", "defs", str(self.folder))
        job = ReconstructableRepository(pointer).get_reconstructable_job("job")
        run = self.instance.create_run_for_job(
            job.get_definition(), job_code_origin=job.get_python_origin()
        )
        self.launcher.launch_run(LaunchRunContext(run, workspace=None))
        return run.run_id

    def write(self, word: str) -> None:
        (self.folder / "launched_code.py").write_text(f"WORD = {word!r}\n{CODE}")

    def said(self) -> list[str]:
        """What the step wrote of itself: process, Python threads, word of the code, imports."""
        file = self.folder / "began"
        await_(lambda: file.exists() and len(file.read_text().split()) == 4)
        return file.read_text().split()

    def go_on(self) -> None:
        (self.folder / "go on").touch()

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def status_at_end(self, run_id: str) -> dg.DagsterRunStatus:
        await_(lambda: self.run(run_id).is_finished)
        return self.run(run_id).status

    def host(self) -> psutil.Process:
        host = psutil.Process(int(self.said()[0])).parent()
        assert host is not None
        return host

    def host_of_a_run(self) -> psutil.Process:
        """The host of a run that has come to its end since."""
        (self.folder / "go on").unlink(missing_ok=True)
        run = self.launch()
        host = self.host()  # which is asked while the worker lives
        self.go_on()
        assert self.status_at_end(run) is dg.DagsterRunStatus.SUCCESS
        return host


def await_(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """One instance, whose warm process is dear to make, for all tests."""
    folder = tmp_path_factory.mktemp("launched")
    make_dagster_home(folder / "dagster")
    config = folder / "dagster" / "dagster.yaml"
    before, _, after = config.read_text().partition("compute_logs:")
    config.write_text(f"{before}{LAUNCHER}storage:{after.partition('storage:')[2]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("DAGSTER_HOME", str(folder / "dagster"))
        with dg.DagsterInstance.get() as instance:
            yield Launched(folder, instance)
        sys.modules.pop("launched_code", None)


@pytest.fixture
def launched(shared: Launched) -> Launched:
    for word in ("began", "go on", "fail"):
        (shared.folder / word).unlink(missing_ok=True)
    shared.write("first")
    return shared


def test_workers_are_forks_of_one_process_and_run_the_code_as_it_is(launched: Launched) -> None:
    launched.go_on()
    first = launched.launch()
    assert launched.status_at_end(first) is dg.DagsterRunStatus.SUCCESS
    pid, threads, word, loaded = launched.said()
    assert (threads, word) == ("1", "first")
    assert loaded == "abalone_assets.definitions", "its own imports; Polars does not stand a fork"
    assert launched.run(first).tags[PROCESS_TAG].startswith(f"{pid}/")
    assert PROCESS_TAG.startswith(HIDDEN_TAG_PREFIX), "no page shows it; it crowded the Runs page"
    launched.write("other")
    second = launched.launch()
    assert launched.status_at_end(second) is dg.DagsterRunStatus.SUCCESS
    assert launched.said()[2] == "other"
    logs = launched.instance.compute_log_manager
    captured = launched.instance.all_logs(first, of_type=dg.DagsterEventType.LOGS_CAPTURED)
    assert captured[0].dagster_event is not None
    key = [first, "compute_logs", captured[0].dagster_event.logs_captured_data.file_key]
    assert b"said by the step" in (logs.get_log_data(key).stdout or b"")


def test_several_workers_have_the_same_parent(launched: Launched) -> None:
    runs = [launched.launch()]
    host = launched.host()
    runs.append(launched.launch())
    assert launched.host() == host
    assert len(host.children()) == 2
    launched.go_on()
    assert {launched.status_at_end(run) for run in runs} == {dg.DagsterRunStatus.SUCCESS}


def test_a_terminated_run_is_cancelled(launched: Launched) -> None:
    run = launched.launch()
    pid = int(launched.said()[0])
    assert launched.launcher.terminate(run)
    assert launched.status_at_end(run) is dg.DagsterRunStatus.CANCELED
    await_(lambda: not psutil.pid_exists(pid))
    assert not launched.launcher.terminate(run)


def test_a_killed_worker_fails_its_run_and_no_other(launched: Launched) -> None:
    kept = launched.launch()
    launched.said()
    killed = launched.launch()
    os.kill(int(launched.said()[0]), signal.SIGKILL)
    assert launched.status_at_end(killed) is dg.DagsterRunStatus.FAILURE
    assert launched.launcher.check_run_worker_health(launched.run(kept)).status is (
        WorkerStatus.RUNNING
    )
    launched.go_on()
    assert launched.status_at_end(kept) is dg.DagsterRunStatus.SUCCESS


def test_a_failed_step_fails_its_run(launched: Launched) -> None:
    (launched.folder / "fail").touch()
    launched.go_on()
    assert launched.status_at_end(launched.launch()) is dg.DagsterRunStatus.FAILURE


def test_a_killed_host_takes_its_workers_along_and_the_next_run_gets_another(
    launched: Launched,
) -> None:
    run = launched.launch()
    host, pid = launched.host(), int(launched.said()[0])
    host.kill()
    assert launched.status_at_end(run) is dg.DagsterRunStatus.FAILURE
    await_(lambda: not psutil.pid_exists(pid))
    assert launched.launcher.check_run_worker_health(launched.run(run)).status is (
        WorkerStatus.NOT_FOUND
    )
    launched.go_on()
    assert launched.status_at_end(launched.launch()) is dg.DagsterRunStatus.SUCCESS


def test_the_end_of_the_launcher_ends_everything(launched: Launched) -> None:
    run = launched.launch()
    host, identity = launched.host(), launched.run(run).tags[PROCESS_TAG]
    launched.launcher.dispose()
    assert not host.is_running() or host.status() == psutil.STATUS_ZOMBIE
    assert not process_lives(identity)
    assert launched.run(run).status is dg.DagsterRunStatus.FAILURE
    assert fail_orphaned_runs(launched.instance) == []


def test_a_reloaded_code_server_gets_another_host(
    launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = launched.launch()
    host = launched.host()
    monkeypatch.setattr(module, "_server", lambda _: "reloaded")
    other = launched.launch()
    assert launched.host() != host
    assert host.is_running()  # until its run has ended
    launched.go_on()
    assert launched.status_at_end(run) is dg.DagsterRunStatus.SUCCESS
    assert launched.status_at_end(other) is dg.DagsterRunStatus.SUCCESS
    await_(lambda: not host.is_running())  # which is true of one that nobody waited for, too


def test_so_does_a_source_that_was_edited(
    launched: Launched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, compiled = tmp_path / "room" / "module.py", tmp_path / "__pycache__" / "module.pyc"
    for file in (source, compiled):
        file.parent.mkdir()
        file.touch()
    monkeypatch.setattr(module, "SOURCES", tmp_path)
    host = launched.host_of_a_run()
    compiled.write_text("anew")
    (source.parent / ".#module.py").symlink_to("somebody@somewhere")  # as Emacs has it
    assert launched.host_of_a_run() == host
    source.write_text("after")
    assert launched.host_of_a_run() != host


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that were left to Dagster's own launcher, which starts none of them here."""
    runs: list[str] = []

    def keep(_: object, context: LaunchRunContext) -> None:
        runs.append(context.dagster_run.run_id)

    monkeypatch.setattr(DefaultRunLauncher, "launch_run", keep)
    return runs


def test_a_host_that_hangs_while_it_imports_holds_up_nothing(
    launched: Launched, cold: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = subprocess.Popen

    def hang(_: object, **options: Any) -> subprocess.Popen[bytes]:
        sleeper = [sys.executable, "-c", "import time; time.sleep(300)"]
        process: subprocess.Popen[bytes] = start(sleeper, **options)
        return process

    launched.go_on()
    with monkeypatch.context() as patch:
        patch.setattr(module, "_server", lambda _: "with code that hangs")
        patch.setattr(module, "READY_SECONDS", 0.2)
        patch.setattr(subprocess, "Popen", hang)
        run = launched.launch()
    assert cold == [run]
    assert launched.status_at_end(launched.launch()) is dg.DagsterRunStatus.SUCCESS


def test_without_a_host_the_worker_is_a_cold_one_and_the_run_says_why(
    launched: Launched, cold: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(module, "_server", lambda _: "another")
    monkeypatch.setattr(module.WorkerHost, "start", refuse)
    run = launched.launch()
    assert cold == [run]
    events = launched.instance.all_logs(run, of_type=dg.DagsterEventType.ENGINE_EVENT)
    assert any("no more processes" in event.message for event in events)
