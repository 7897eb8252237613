"""Ctrl-C, a terminal that is closed, a task that is stopped: the first one ends the trial's steps.

What is left to do then is to clean up, which no further signal cuts short.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedTrialError(KeyboardInterrupt):
    """A signal asked for the end.

    Attributes:
        number: Its number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupts:
    """Handles the signals of this process, as long as the context is open.

    Args:
        say: Told that a signal has to wait.

    Attributes:
        shielded: Whether signals have to wait; the first one sees to that.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.shielded = False
        self._say = say
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            # What is ignored, as SIGHUP is under nohup, stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.shielded:
            self._say(
                "cleaning up, please wait: what is left costs money (kill -9 "
                f"{os.getpid()} leaves it to `abalone doctor --live --clean-up`)"
            )
            return
        self.shielded = True
        raise InterruptedTrialError(number)


@contextmanager
def noticed_signals() -> Iterator[Callable[[], int]]:
    """Notice signals even where somebody else handles them, as Dagster does during a run.

    Dagster holds a signal back that does not meet the step's own code, and forgets it in the end.

    Yields:
        The number of the first of our signals that came since; 0 while none did.
    """
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)  # noqa: FBT003 - its only parameter
        writing.setblocking(False)  # noqa: FBT003 - its only parameter
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

        def first() -> int:
            try:
                numbers = reading.recv(4096, socket.MSG_PEEK)
            except BlockingIOError:
                return 0
            return next((number for number in numbers if number in SIGNALS), 0)

        try:
            yield first
        finally:
            signal.set_wakeup_fd(before)
