"""Child processes that are stopped with all of their own children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Final, Self, TypeVar

from abalone_assets.errors import AbaloneError, EndpointError
from abalone_assets.local.instance import child_environment
from abalone_assets.serving.local_endpoint import connect
from abalone_assets.serving.state import read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from abalone_assets.serving.client import EndpointClient
    from abalone_assets.settings.platform import Settings

POLL_SECONDS: Final = 0.1
STOP_SECONDS: Final = 20.0
START_SECONDS: Final = 180.0
"""Dagster starts in ten; on a machine with much else to do it has taken more than sixty."""


class ProcessError(AbaloneError):
    """A process that should run has ended, or did not become ready in time."""


class Child:
    """A process in a session of its own, stopped at the end of its block.

    Ctrl-C in the terminal does not reach it; that end reaches it and everything that it started.

    Args:
        name: What people call it, as a message begins with it.
        arguments: Of the Python interpreter.
        environment: Its whole environment.
        log: File for its output; None is this process's own output.
        keeps: A file descriptor of this process that it keeps open as long as it lives.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: dict[str, str],
        *,
        log: Path | None = None,
        keeps: int | None = None,
    ) -> None:
        self.name = name
        self.log = log
        with nullcontext() if log is None else log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
                [sys.executable, *arguments],
                env=environment,
                start_new_session=True,
                pass_fds=() if keeps is None else (keeps,),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its group."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll()

    def output_location(self) -> str:
        """Where its output is, in words."""
        return "its output is above" if self.log is None else f"its log is {self.log}"

    def last_line(self) -> str:
        """The last line that it wrote, if that can be known."""
        if self.log is None:
            return "its output says why"
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Send it Ctrl-C and wait for its clean end, then kill it and whatever it left behind.

        A second Ctrl-C of this process, while it waits, cuts that short.
        """
        try:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


def start_server(settings: Settings, port: int, *, keeps: int | None = None) -> Child:
    """Start the endpoint server of this home as a child that writes to ``server.log``."""
    log = settings.endpoint_state_file.with_name("server.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["-m", "abalone_assets.cli", "serve", "--port", str(port)]
    return Child(
        "the endpoint server", arguments, child_environment(settings), log=log, keeps=keeps
    )


def wait_for_server(settings: Settings, server: Child) -> EndpointClient:
    """A client of the server once it answers.

    Raises:
        ProcessError: It ended, or does not answer in time.
    """

    def answering() -> EndpointClient | None:
        state = read_state(settings.endpoint_state_file)
        if state is None or state.pid != server.pid:
            return None
        return connect(settings.endpoint_name, state_file=settings.endpoint_state_file)

    return wait_until(answering, server, "answers")


def wait_for_version(client: EndpointClient, seconds: float) -> int | None:
    """The version that an endpoint serves once it has loaded the one that it should serve.

    Returns:
        The version; None when nothing is deployed.

    Raises:
        EndpointError: It refused the version, or needs too long.
    """
    deadline = time.monotonic() + seconds
    while True:
        description = client.describe()
        version: int | None = description["version"]
        if version == description["requested_version"] or description["failure_reason"]:
            return version
        if time.monotonic() > deadline:
            raise EndpointError(
                f"{client.url} still loads version {description['requested_version']}"
                f" after {seconds:g} s"
            )
        time.sleep(POLL_SECONDS)


Ready = TypeVar("Ready")


def wait_until(condition: Callable[[], Ready | None], child: Child, state: str) -> Ready:
    """What the condition returns once that is not None.

    Args:
        condition: Looked at ten times a second.
        child: Whose work it is.
        state: What the child does when the condition holds, for the message.

    Raises:
        ProcessError: The child ended, or the condition does not come true in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while (ready := condition()) is None:
        if child.exit_code() is not None:
            raise ProcessError(f"{child.name} ended at its start: {child.last_line()}")
        if time.monotonic() > deadline:
            raise ProcessError(
                f"no sign that {child.name} {state} after {START_SECONDS:g} s; "
                f"{child.output_location()}"
            )
        time.sleep(POLL_SECONDS)
    return ready


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let SIGTERM and the closing of the terminal end this process as Ctrl-C does: cleanly.

    So does SIGINT where a script's ``&`` had it ignored. Handlers, unlike ignored signals, are not
    inherited: children end on Ctrl-C as usual. ``nohup`` keeps its word: SIGHUP stays ignored.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
