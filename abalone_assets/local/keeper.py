"""Ends what a driver has started when the driver has ended, however it did: ``kill -9`` too.

``python -m abalone_assets.local.keeper DESCRIPTOR IDENTITY FOLDER``. The driver holds the other end
of the pipe, and nobody else does.
"""

from __future__ import annotations

import os
import signal
import sys

from abalone_assets.local.offspring import end_offspring, remove_temporary


def main(descriptor: int, driver: str, temporary: str) -> None:
    """Wait for the end of the pipe, then end and remove what the driver has left behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the driver's end is what it waits for
    while os.read(descriptor, 1):
        pass
    end_offspring(driver)
    remove_temporary(temporary)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:4])
