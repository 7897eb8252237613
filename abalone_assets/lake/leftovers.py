"""What a killed process leaves of an object that it was writing: removed when nobody needs it."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGED_FOLDER: Final = "_staged"
_OWN: Final = r"\..+\.[0-9a-f]{32}\.staged"
OWN_FILE: Final = re.compile(_OWN)
"""As this platform names a file until it is whole: see `staged_beside`."""

STAGED_FILE: Final = re.compile(rf".+#[0-9]+|{_OWN}")
"""As obstore does, or this platform."""

KEPT_SECONDS: Final = 3600.0
"""Longer than anybody writes one object: what was touched since may be a living process's."""


def staged_beside(path: Path) -> Path:
    """A hidden file beside another one, to be written and then renamed to it."""
    return path.with_name(f".{path.name}.{uuid4().hex}.staged")


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


def own_leftovers(folder: Path, *, kept_seconds: float = KEPT_SECONDS) -> list[Path]:
    """Those of this platform right in a folder that others write to; theirs are none of ours."""
    before = time.time() - kept_seconds
    try:
        names = os.listdir(folder)  # noqa: PTH208 - there may be a hundred thousand
    except OSError:  # not there, or not for us to see
        return []
    found = (folder / name for name in names if OWN_FILE.fullmatch(name))
    return [path for path in found if _changed(path) < before]


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
