"""What a driver has started, at any depth: found by a variable that all of it inherits, and ended.

Process groups and parents do not tell: Dagster's servers start others, and what outlives its parent
gets another one. What a process inherited is as it was, whoever its parent is now.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from typing import Final

import psutil

VARIABLE: Final = "_ABALONE_DRIVER"
"""Identity of the driver's process."""

STOP_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.1


def offspring_of(driver: str) -> list[psutil.Process]:
    """The processes that work for a driver, whose identity this is; without this one."""
    return [each for each in psutil.process_iter() if each.pid != os.getpid() and _is(each, driver)]


def end_offspring(driver: str, *, seconds: float = STOP_SECONDS) -> list[int]:
    """Ask all of it to end, wait, and kill what has not ended then.

    Returns:
        The ids of the processes.
    """
    asked: set[int] = set()
    deadline = time.monotonic() + seconds
    while alive := offspring_of(driver):
        late = time.monotonic() > deadline
        for each in alive:
            if late or each.pid not in asked:  # what is asked to end may start others yet
                asked.add(each.pid)
                with suppress(psutil.Error):
                    each.kill() if late else each.terminate()
        time.sleep(POLL_SECONDS)
    return sorted(asked)


def remove_temporary(folder: str) -> None:
    """Remove the folder of temporary files of what has ended; none where its name is empty."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _is(process: psutil.Process, driver: str) -> bool:
    try:
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and process.environ().get(VARIABLE) == driver
    except (psutil.Error, OSError):  # another user's, or it has just ended
        return False
