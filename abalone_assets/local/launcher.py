"""Starts the worker of each run from a warm process instead of a cold interpreter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value

import abalone_assets
from abalone_assets.lake.holder import process_identity, process_lives
from abalone_assets.local.instance import PROCESS_TAG, process_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    from dagster._core.launcher import LaunchRunContext
    from dagster._serdes import ConfigurableClassData

SOURCES: Final = Path(abalone_assets.__file__).parent
STOP_SECONDS: Final = 15.0
READY_SECONDS: Final = 120.0
"""A host imports for five; on a machine with much else to do it has taken a minute."""

HAS_FORK: Final = sys.platform == "linux"
"""Whether a fork of a process with numerical packages is safe: not on macOS."""


@dataclass(frozen=True)
class Loaded:
    """What a host has loaded, by signs: when one of them differs, the next run needs another host.

    Attributes:
        server: Identity of the code server: after a reload other packages may be installed.
        sources: Time of writing of each of the platform's files.
    """

    server: str | None
    sources: Mapping[str, int]

    @classmethod
    def now(cls, server: str | None) -> Loaded:
        """As it is now."""
        files = (  # hidden ones are editors'
            file
            for file in SOURCES.rglob("*.*")
            if file.parent.name != "__pycache__" and not file.name.startswith(".")
        )
        return cls(server, {str(file): file.lstat().st_mtime_ns for file in files})


@dataclass(frozen=True)
class WorkerHost:
    """A process that workers are forked from: see `abalone_assets.local.worker_host`.

    Attributes:
        loads: What it loads, as it was at its start: see `Loaded`.
        ready: Set once it has answered: it has imported everything.
    """

    process: subprocess.Popen[bytes]
    requests: Connection
    loads: Loaded
    ready: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def start(cls, loads: Loaded) -> WorkerHost:
        """Start one; it imports for some seconds before it answers.

        Raises:
            OSError: The system refuses.
        """
        import socket

        ours, theirs = socket.socketpair()
        with theirs:
            module = "abalone_assets.local.worker_host"
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", module, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        return cls(process, Connection(ours.detach()), loads)

    def retire(self) -> None:
        """Have it end as soon as its workers have; nothing stays of it then."""
        with suppress(OSError):
            self.requests.send(None)
        threading.Thread(target=self.process.wait, daemon=True).start()

    def end(self) -> None:
        """Interrupt its workers and wait for their end."""
        self.requests.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)


class WarmRunLauncher(DefaultRunLauncher):
    """Dagster's local launcher, with forked workers where the system and the run allow it.

    A worker does what ``dagster api execute_run`` does, in the environment of the process that
    launches. Its identity is in the tag ``PROCESS_TAG`` of the run before it begins: by that it is
    found, interrupted, and missed when it died.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._lock = threading.Lock()
        self._host: WorkerHost | None = None
        self._retired: list[WorkerHost] = []

    @property
    def host(self) -> psutil.Process | None:
        """The process that the next worker is forked from, if there is one."""
        host = self._host
        return None if host is None else psutil.Process(host.process.pid)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Fork a worker; where there can be none, start a cold one and say why in the run."""
        run = context.dagster_run
        origin = run.job_code_origin
        if not HAS_FORK or origin is None or origin.executable_path != sys.executable:
            super().launch_run(context)
            return
        arguments = ExecuteRunArgs(origin, run.run_id, self._instance.get_ref())
        try:
            with self._lock:
                loads = Loaded.now(_server(context))
                self._start_worker(run.run_id, serialize_value(arguments), loads)
        except (OSError, EOFError) as error:
            self._instance.report_engine_event(
                f"There is no warm process to fork a worker from ({error!r}); a cold one starts.",
                run,
            )
            super().launch_run(context)
            return
        self._run_ids.add(run.run_id)

    def _start_worker(self, run_id: str, arguments: str, loads: Loaded) -> None:
        host = self._warm_host(loads)
        host.requests.send(arguments)
        if not host.ready.is_set() and not host.requests.poll(READY_SECONDS):
            host.process.kill()  # it hangs while it imports, and has no worker yet
            raise OSError(f"it was not ready within {READY_SECONDS:g} s")
        pid = host.requests.recv()
        host.ready.set()
        if not isinstance(pid, int):
            raise OSError(pid)
        begins = False
        try:
            self._instance.add_run_tags(run_id, {PROCESS_TAG: process_identity(pid)})
            begins = True
        finally:
            host.requests.send(begins)

    def _warm_host(self, loads: Loaded) -> WorkerHost:
        host = self._host
        if host is not None and host.process.poll() is None and host.loads == loads:
            return host
        if host is not None:
            host.retire()
            self._retired = [each for each in self._retired if each.process.poll() is None]
            self._retired.append(host)
        self._host = WorkerHost.start(loads)
        return self._host

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run's process, whoever launched it; say whether there was one to."""
        run = self._instance.get_run_by_id(run_id)
        identity = None if run is None else process_of(run)
        if run is None or run.is_finished or identity is None:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        self._instance.report_run_canceling(run)
        if process_lives(identity):
            with suppress(ProcessLookupError):  # it has just ended, and its run with it
                os.kill(int(identity.partition("/")[0]), signal.SIGTERM)
            return True
        self._instance.report_run_canceled(run, "The process of this run had ended before.")
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It does, so that Dagster's run monitoring notices a worker that died."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the run's worker lives; of a cold one, its code server takes note."""
        identity = process_of(run)
        if identity is None or process_lives(identity):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"process {identity} has ended")

    def dispose(self) -> None:
        """Interrupt the workers, and end the process that they were forked from."""
        with self._lock:
            hosts = [*self._retired, *([self._host] if self._host else [])]
            self._host, self._retired = None, []
        for host in hosts:
            host.end()


def _server(context: LaunchRunContext) -> str | None:
    """Identity of the code server that a run comes from, which a reload changes."""
    from dagster._core.remote_representation.code_location import GrpcServerCodeLocation

    origin = context.dagster_run.remote_job_origin
    if context.workspace is None or origin is None:
        return None
    location = context.workspace.get_code_location(
        origin.repository_origin.code_location_origin.location_name
    )
    return location.server_id if isinstance(location, GrpcServerCodeLocation) else None
