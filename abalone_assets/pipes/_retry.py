"""Calls that outlast a busy AWS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from abalone_assets.pipes._errors import AWS_ERRORS, PipesJobError, explain, is_transient

if TYPE_CHECKING:
    from logging import Logger

Answer = TypeVar("Answer")

_LONGEST_WAIT_SECONDS: Final = 60.0


class Retry:
    """Makes a call again, after growing waits, while AWS is busy or away.

    Args:
        log: Where each failure is told.
        interval: Seconds of the first wait; each one after it is twice as long.
        max_failures: How many failures of one call in a row are borne.
    """

    def __init__(self, log: Logger, *, interval: float, max_failures: int) -> None:
        self._log = log
        self._interval = interval
        self._max_failures = max_failures

    def for_shutdown(self) -> Retry:
        """The same for a process that is about to be killed: some eight seconds of it."""
        return Retry(self._log, interval=min(self._interval, 0.5), max_failures=4)

    def __call__(self, what: str, call: Callable[[], Answer]) -> Answer:
        """What the call answers.

        Args:
            what: What it is for, as an error's first words.
            call: Makes the call; must be safe to repeat.

        Raises:
            PipesJobError: AWS refuses it, or was busy or away too often.
        """
        failures = 0
        while True:
            try:
                return call()
            except AWS_ERRORS as error:
                failures += 1
                if not is_transient(error):
                    raise PipesJobError(f"{what}: {explain(error)}") from error
                if failures > self._max_failures:
                    raise PipesJobError(
                        f"{what}: gave up after {failures} failures in a row: {explain(error)}"
                    ) from error
                self._log.warning(f"[pipes] {what}: {explain(error)}; trying again")
                time.sleep(min(self._interval * 2 ** (failures - 1), _LONGEST_WAIT_SECONDS))
