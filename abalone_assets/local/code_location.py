"""Starts the code location of production: `dagster api grpc` that ends when it has become blind.

A thread of Dagster's there looks twice a second whether a worker has died, and has its run fail. It
asks the database of that run, and dies with the first question that is not answered. The health
check goes on to say that all is well, but from then on the run of a worker that dies counts as in
flight for an hour. A process that has ended is started again, and Dagster's run monitoring finds
out what it had executed.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MODULE: Final = "abalone_assets.definitions"
WATCH: Final = "grpc-server-cleanup"
"""Dagster's name of the thread that notices workers that died."""

_LOG: Final = logging.getLogger("dagster.code_server")


def end_with_the_watch(end: Callable[[int], object] = os._exit) -> None:
    """Have this process end, with exit code 1, when the thread that notices dead workers dies.

    At once: to end in order is to wait for all workers, and to serve nobody meanwhile.

    Args:
        end: Ends the process.
    """
    before = threading.excepthook

    def end_if_blind(failed: threading.ExceptHookArgs) -> None:
        before(failed)
        if failed.thread is not None and failed.thread.name == WATCH:
            _LOG.critical("Ending, to be started again: nobody would notice a worker that died")
            end(1)

    threading.excepthook = end_if_blind


def main() -> None:
    """Serve the definitions where ``DAGSTER_GRPC_HOST`` and ``DAGSTER_GRPC_PORT`` say."""
    from dagster._cli.api import grpc_command

    end_with_the_watch()
    grpc_command(["--module-name", MODULE], prog_name="dagster api grpc")


if __name__ == "__main__":
    main()
