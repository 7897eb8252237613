"""Uploaded files that have been checked and wait for a confirmation."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from abalone_assets.errors import StorageError

KEPT_SECONDS: Final = 3600.0
MAX_STAGED: Final = 100
MAX_STAGED_BYTES: Final = 512 * 2**20
"""Of all of them; the oldest go first."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_CONTENT, _ABOUT = "content", "about.json"


@dataclass(frozen=True)
class StagedUpload:
    """A file that waits.

    Attributes:
        key: Its key, which nobody can guess: who has it has uploaded the file.
        given_name: What it was called where it comes from.
        data: Its bytes.
    """

    key: str
    given_name: str
    data: bytes


@dataclass(frozen=True)
class StagedUploads:
    """The files that wait in a folder, for an hour at most."""

    folder: Path

    @classmethod
    def of(cls, home: Path) -> Self:
        """Those of a home."""
        return cls(home / "uploads")

    def add(self, given_name: str, data: bytes) -> str:
        """Keep a file, and give its key.

        Raises:
            StorageError: The folder cannot be written.
        """
        key = secrets.token_urlsafe(16)
        target = self.folder / key
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(len(data))
            target.mkdir(mode=0o700)
            (target / _CONTENT).write_bytes(data)
            # Written last: without it there is no such upload.
            (target / _ABOUT).write_text(json.dumps({"given_name": given_name}), encoding="utf-8")
        except OSError as error:
            raise StorageError(
                f"{self.folder}: an upload cannot be kept: {error.strerror or error}"
            ) from error
        return key

    def get(self, key: str) -> StagedUpload | None:
        """The upload of a key; None when there is none, or it has waited for too long."""
        if _ID.fullmatch(key) is None:
            return None
        target = self.folder / key
        try:
            if time.time() - (target / _ABOUT).stat().st_mtime > KEPT_SECONDS:
                return None
            about = json.loads((target / _ABOUT).read_bytes())
            return StagedUpload(key, str(about["given_name"]), (target / _CONTENT).read_bytes())
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remove(self, key: str) -> None:
        """Forget an upload; nothing happens when there is none."""
        if _ID.fullmatch(key) is not None:
            shutil.rmtree(self.folder / key, ignore_errors=True)

    def overdue(self) -> list[Path]:
        """What nobody has confirmed in time, and so nobody can any more."""
        return sorted(each.path for each in self._waiting() if each.is_overdue)

    def _make_room(self, size: int) -> None:
        """Forget what has waited for too long, and the oldest where there are too many."""
        waiting = sorted(self._waiting(), key=lambda each: each.at)
        total = size + sum(each.size for each in waiting)
        left = len(waiting)
        for each in waiting:
            if each.is_overdue or left >= MAX_STAGED or total > MAX_STAGED_BYTES:
                shutil.rmtree(each.path, ignore_errors=True)
                total, left = total - each.size, left - 1

    def _waiting(self) -> list[_Waiting]:
        found = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if _ID.fullmatch(path.name):
                with suppress(OSError):  # removed by another request meanwhile
                    size = sum(part.stat().st_size for part in path.iterdir())
                    found.append(_Waiting(path, path.stat().st_mtime, size))
        return found


@dataclass(frozen=True)
class _Waiting:
    path: Path
    at: float
    size: int

    @property
    def is_overdue(self) -> bool:
        return time.time() - self.at > KEPT_SECONDS
