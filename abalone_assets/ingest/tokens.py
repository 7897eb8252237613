"""The token of a file in a folder: it changes whenever the file is written again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import os

COARSE_GRAIN_NS: Final = 2 * 10**9
"""What the coarsest clock of a file system counts in: FAT's."""


def token_of(found: os.stat_result) -> str:
    """Changes with each write: by the change time too, which ``cp -p`` and rsync cannot set.

    A clock that counts in seconds may give two writes one time, so a file as young as its grain
    gets another token once it is older, and is compared by its bytes then.
    """
    times = (found.st_mtime_ns, found.st_ctime_ns)
    coarse = not any(nanoseconds % 10**9 for nanoseconds in times)
    young = coarse and time.time_ns() - max(times) < COARSE_GRAIN_NS
    token = f"{found.st_ino:x}-{times[0]:x}-{found.st_size:x}-{times[1]:x}"
    return f"{token}-young" if young else token


def is_of_older_lake(token: str, other: str) -> bool:
    """Whether the one lacks the change time of the other, as the tokens of older lakes do."""
    return token.startswith(f"{other}-") or other.startswith(f"{token}-")


def same_file(token: str, other: str) -> bool:
    """Whether two tokens are of one file that was written in place, not of two files."""
    return token.partition("-")[0] == other.partition("-")[0]
