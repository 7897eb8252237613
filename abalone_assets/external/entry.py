"""What the entry scripts share: arguments, logging, and failures told the way SageMaker reads."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING, NoReturn

from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class ArgumentError(AbaloneError):
    """A command-line argument is unknown, malformed or missing."""


class ArgumentParser(argparse.ArgumentParser):
    """A parser that raises, because these scripts are also called as functions.

    Raises:
        ArgumentError: From ``parse_args``, instead of ending the process.
    """

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise ArgumentError(f"{self.prog}: {message} (see --help)")


def log_to_stdout() -> None:
    """Show our own progress, and others' warnings, where containers' logs are taken from."""
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
    logging.getLogger("abalone_assets").setLevel(logging.INFO)


def run_as_script(main: Callable[[], None], message_file: Path | None = None) -> None:
    """Run an entry point as a process: log to stdout, report a failure, exit with 1 on one.

    Args:
        main: The entry point.
        message_file: Where SageMaker looks for the reason of a failure; skipped when its folder
            does not exist.
    """
    log_to_stdout()
    try:
        main()
    except AbaloneError as error:
        if message_file is not None and message_file.parent.is_dir():
            message_file.write_text(str(error), encoding="utf-8")
        logging.getLogger(__name__).error("%s: %s", type(error).__name__, error)  # noqa: TRY400 - the message says what to do; a stack trace would hide it
        sys.exit(1)
