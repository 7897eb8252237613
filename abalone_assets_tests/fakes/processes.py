"""Jobs as processes: each in a group of its own, its output in CloudWatch while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

from moto.logs.models import logs_backends

from abalone_assets_tests.fakes.places import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from abalone_assets_tests.fakes.server import MotoServer

GRACE_SECONDS: Final = 3.0
"""Between SIGTERM and SIGKILL; SageMaker waits 120 s."""


class LogStream:
    """A CloudWatch log stream that may appear late.

    Args:
        server: The server whose CloudWatch holds it.
        group: The log group, made when it is missing.
        name: The stream's name.
        hidden_seconds: How long it takes to appear, lines written before included.
    """

    def __init__(self, server: MotoServer, group: str, name: str, hidden_seconds: float) -> None:
        self.lines: list[str] = []
        self._server = server
        self._group = group
        self._name = name
        self._waiting: list[dict[str, Any]] = []
        self._appears = time.monotonic() + hidden_seconds
        self._timer: threading.Timer | None = None

    def write(self, line: str) -> None:
        self.lines.append(line)
        with self._server.lock:
            self._waiting.append({"timestamp": int(time.time() * 1000), "message": line or " "})
            if time.monotonic() >= self._appears:
                self._flush()

    def close(self) -> None:
        """Let the stream appear, now or when it is time."""
        left = self._appears - time.monotonic()
        if left <= 0:
            self._flush()
        else:
            self._timer = threading.Timer(left, self._flush)
            self._timer.daemon = True
            self._timer.start()

    def _flush(self) -> None:
        with self._server.lock:
            backend = logs_backends[ACCOUNT][REGION]
            if self._group not in backend.groups:
                backend.create_log_group(self._group, {})
            backend.ensure_log_stream(self._group, self._name)
            if self._waiting:
                backend.put_log_events(self._group, self._name, self._waiting)
            self._waiting = []


@dataclass
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code, negative for a signal.
        stopped: Somebody stopped it.
        timed_out: It ran for longer than it may.
        seconds: How long it ran.
    """

    code: int
    stopped: bool
    timed_out: bool
    seconds: float

    @property
    def succeeded(self) -> bool:
        return self.code == 0 and not self.stopped and not self.timed_out


@dataclass
class _Running:
    stopped: bool = False
    timed_out: bool = False
    process: subprocess.Popen[str] | None = None
    timers: list[threading.Timer] = field(default_factory=list)
    end: Callable[[], None] | None = None


class Processes:
    """The jobs that run; entering a job's name and stopping it race without harm."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._over = threading.Event()

    def in_background(self, task: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=task, args=arguments, daemon=True)
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def pause(self, seconds: float) -> bool:
        """Wait, and say whether the test goes on."""
        return not self._over.wait(seconds)

    def enter(self, name: str) -> None:
        """A job of this name exists, though nothing of it runs yet."""
        with self._lock:
            self._running[name] = _Running()

    def was_stopped(self, name: str) -> bool:
        return self._running[name].stopped

    def ends_by(self, name: str, end: Callable[[], None]) -> None:
        """What else ends a job than a signal to its process, such as the end of its container."""
        with self._lock:
            running = self._running[name]
            running.end = end
            is_over = running.stopped or self._over.is_set()
        if is_over:
            end()

    def run(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        folder: Path,
        stream: LogStream,
        max_seconds: float,
    ) -> Ended:
        """Run to the end, a line at a time, of stdout or stderr, into a stream."""
        running = self._running[name]
        started = time.monotonic()
        process = self._start(running, command, environ, folder)
        if process is None:
            return Ended(-signal.SIGTERM, running.stopped, timed_out=False, seconds=0.0)
        self._after(max_seconds, running, self._time_out, name)
        reader = threading.Thread(target=_copy, args=(process.stdout, stream), daemon=True)
        reader.start()
        code = process.wait()
        reader.join(GRACE_SECONDS)
        for timer in running.timers:
            timer.cancel()
        return Ended(code, running.stopped, running.timed_out, time.monotonic() - started)

    def _start(
        self,
        running: _Running,
        command: Sequence[str],
        environ: Mapping[str, str],
        folder: Path,
    ) -> subprocess.Popen[str] | None:
        with self._lock:
            if running.stopped or self._over.is_set():
                return None
            running.process = subprocess.Popen(
                command,
                env=dict(environ),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            return running.process

    def _after(
        self, seconds: float, running: _Running, task: Callable[[str], None], name: str
    ) -> None:
        timer = threading.Timer(seconds, task, (name,))
        timer.daemon = True
        running.timers.append(timer)
        timer.start()

    def _time_out(self, name: str) -> None:
        self._running[name].timed_out = True
        self._terminate(self._running[name])

    def stop(self, name: str) -> None:
        """SIGTERM, and SIGKILL to what is left later; a job that has not begun never will."""
        with self._lock:
            running = self._running[name]
            running.stopped = True
        self._terminate(running)

    def interrupt(self, name: str, seconds: float) -> None:
        """Kill what runs then, without stopping the job."""
        running = self._running[name]
        self._after(seconds, running, lambda _: self._terminate(running), name)

    def _terminate(self, running: _Running) -> None:
        if running.end is not None:
            running.end()
        if (process := running.process) is not None:
            _signal(process, signal.SIGTERM)
            timer = threading.Timer(GRACE_SECONDS, _signal, (process, signal.SIGKILL))
            timer.daemon = True
            running.timers.append(timer)
            timer.start()

    def end_all(self) -> None:
        """Kill everything and wait until it is gone."""
        self._over.set()
        with self._lock:
            running, threads = list(self._running.values()), list(self._threads)
        for each in running:
            for timer in each.timers:
                timer.cancel()
            if each.process is not None:
                _signal(each.process, signal.SIGKILL)
            if each.end is not None:
                each.end()
        for thread in threads:
            thread.join(20)


def _copy(pipe: IO[str] | None, stream: LogStream) -> None:
    assert pipe is not None
    with pipe:
        for line in pipe:
            stream.write(line.rstrip("\n"))


def _signal(process: subprocess.Popen[str], number: int) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
