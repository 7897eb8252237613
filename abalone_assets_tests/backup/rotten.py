"""A disk that refuses."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def refuse(patch: pytest.MonkeyPatch, function: str, refused: Path) -> None:
    """Let the system refuse to open a file, or to scan a folder, as a rotten disk does."""
    original = getattr(os, function)

    def refusing(path: str | Path, *arguments: object, **options: object) -> object:
        if Path(path) == refused:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return original(path, *arguments, **options)

    patch.setattr(os, function, refusing)
