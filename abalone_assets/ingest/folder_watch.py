"""Whether anything was written in a folder since it was asked last, as the kernel tells.

A hint that saves looking at a folder of many files again and again; what it misses, the next look
at everything finds. File systems that others write to (NFS, SMB, the shared folders of a virtual
machine) tell nothing of their writes, so nobody asks about those.
"""

from __future__ import annotations

import logging
import os
import uuid
import weakref
from pathlib import Path
from threading import Lock
from typing import Final

import psutil

logger = logging.getLogger(__name__)

TOLD: Final = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""File systems on which every write goes through this machine's kernel."""

_lock: Final = Lock()
_watch: _Watch | None = None


def change_token(folder: Path) -> str | None:
    """A token that stays the same as long as nothing in the folder is written, moved or removed.

    One folder is watched at a time. Another process, or the folder of another name or file system
    in its place, begins with another token.

    Returns:
        None where the kernel cannot tell: always look.
    """
    global _watch  # noqa: PLW0603 - one watch for the process, since the kernel allows few
    try:
        found = folder.stat()
    except OSError:
        return None
    identity = (os.getpid(), str(folder), found.st_dev, found.st_ino)
    with _lock:
        if _watch is None or _watch.identity != identity:
            if _watch is not None:
                _watch.close()
            _watch = _Watch.opened(folder, identity)
        return _watch.token() if _watch else None


class _Watch:
    def __init__(self, folder: Path, identity: tuple[int, str, int, int]) -> None:
        from inotify_simple import INotify, flags

        self.identity = identity
        self._inotify = INotify()
        self.close = weakref.finalize(self, self._inotify.close)
        told = flags.MODIFY | flags.ATTRIB | flags.CREATE | flags.DELETE
        moved = flags.MOVED_FROM | flags.MOVED_TO | flags.DELETE_SELF | flags.MOVE_SELF
        self._inotify.add_watch(folder, told | moved | flags.ONLYDIR)
        self._token = uuid.uuid4().hex

    @classmethod
    def opened(cls, folder: Path, identity: tuple[int, str, int, int]) -> _Watch | None:
        if _file_system(folder) not in TOLD:
            return None
        try:
            return cls(folder, identity)
        except (ImportError, OSError) as error:  # not Linux, or too many watches on this machine
            logger.debug("%s is not watched, and looked at each time: %s", folder, error)
            return None

    def token(self) -> str:
        if self._inotify.read(timeout=0):
            self._token = uuid.uuid4().hex
        return self._token


def _file_system(folder: Path) -> str:
    """The type of the file system that holds a folder."""
    inside = [
        (len(Path(each.mountpoint).parts), number, each.fstype)
        for number, each in enumerate(psutil.disk_partitions(all=True))
        if folder.is_relative_to(each.mountpoint)
    ]
    return max(inside, default=(0, 0, ""))[2]
