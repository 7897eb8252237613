"""Ctrl-C, a terminal that is closed, a task that is stopped: the first one ends the trial's steps.

What is left to do then is to clean up, which no further signal cuts short.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedTrialError(KeyboardInterrupt):
    """A signal asked for the end."""


class Interrupts:
    """Handles the signals of this process, as long as the context is open.

    Args:
        say: Told that a signal has to wait.

    Attributes:
        received: Number of the signal that asked for the end; 0 while none did.
        shielded: Whether signals have to wait; the first one sees to that.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.received = 0
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
        self.received, self.shielded = number, True
        raise InterruptedTrialError
