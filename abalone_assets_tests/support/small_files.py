"""A disk that takes no large file, as a full one takes none: the system's own limit says so."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """This process, and those that it starts, can write no file beyond so many bytes.

    Meanwhile none of them compiles modules to files: Python would leave the first bytes of them,
    and nobody could import these modules any more.
    """
    soft, hard = getrlimit(RLIMIT_FSIZE)
    with (
        patch.object(sys, "dont_write_bytecode", True),  # noqa: FBT003 - mock's own signature
        patch.dict(os.environ, PYTHONDONTWRITEBYTECODE="1"),
    ):
        setrlimit(RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            setrlimit(RLIMIT_FSIZE, (soft, hard))
