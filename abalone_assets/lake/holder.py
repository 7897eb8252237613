"""Which process holds something: an identity that no other process has, and whether it lives."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path
from typing import Final

import psutil

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESS_IDS: Final = Path("/proc/self/ns/pid")


def process_identity(pid: int) -> str:
    """What no other process has, not even a later one with the same id.

    Returns:
        ``PID/BOOT/START``: the id of the machine's boot, empty where the system has none, and the
        process's start in clock ticks; the process's id alone when it has ended.
    """
    # Since the boot where that can be told: the clock may be set while the process lives.
    booted = psutil.boot_time() if psutil.LINUX else 0.0
    try:
        start = psutil.Process(pid).create_time() - booted
    except psutil.Error:
        return str(pid)
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    return f"{pid}/{boot}/{round(start * os.sysconf('SC_CLK_TCK'))}"


def process_lives(identity: str) -> bool:
    """Whether the process lives; by its id alone where the start is not known."""
    pid, _, start = identity.partition("/")
    if not psutil.pid_exists(int(pid)):
        return False
    found = process_identity(int(pid)).partition("/")[2]
    return not (start and found) or start == found


@cache
def machine() -> str:
    """Where process ids mean the same: a machine or, with ids of its own, a container."""
    try:
        ids = str(_PROCESS_IDS.readlink())
    except OSError:  # no Linux
        ids = ""
    return f"{platform.node()}/{ids}"
