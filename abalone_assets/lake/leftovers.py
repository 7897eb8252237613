"""What a killed process leaves of an object that it was writing: removed when nobody needs it."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGED_FOLDER: Final = "_staged"
STAGED_FILE: Final = re.compile(r".+#[0-9]+|\..+\.[0-9a-f]{32}\.staged")
"""As obstore and the preparation name a file until it is whole."""

KEPT_SECONDS: Final = 3600.0
"""Longer than anybody writes one object: what was touched since may be a living process's."""


def remove_leftovers(root: Path, *, kept_seconds: float = KEPT_SECONDS) -> list[Path]:
    """Remove staged files below a store's folder that nothing was written to for so long.

    Returns:
        What was removed.
    """
    removed = leftovers(root, kept_seconds=kept_seconds)
    for path in removed:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return removed


def leftovers(root: Path, *, kept_seconds: float = KEPT_SECONDS) -> list[Path]:
    """The staged files below a store's folder that nothing was written to for so long."""
    before = time.time() - kept_seconds
    return [path for path in _staged(root) if _changed(path) < before]


def _staged(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        yield from (Path(folder, name) for name in files if STAGED_FILE.fullmatch(name))
        if STAGED_FOLDER in folders:
            folders.remove(STAGED_FOLDER)
            yield from Path(folder, STAGED_FOLDER).iterdir()


def _changed(path: Path) -> float:
    """When anything in it was written last; never, where it is gone meanwhile."""
    latest = 0.0
    for each in (path, *path.rglob("*")) if path.is_dir() else (path,):
        with suppress(OSError):
            latest = max(latest, each.stat().st_mtime)
    return latest
