"""Ends what a driver has started when the driver has ended, however it did: ``kill -9`` too.

``python -m abalone_assets.local.keeper DESCRIPTOR IDENTITY``. The driver holds the other end of the
pipe, and nobody else does.
"""

from __future__ import annotations

import os
import signal
import sys

from abalone_assets.local.offspring import end_offspring


def main(descriptor: int, driver: str) -> None:
    """Wait for the end of the pipe, then end what the driver has left behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the driver's end is what it waits for
    while os.read(descriptor, 1):
        pass
    end_offspring(driver)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
