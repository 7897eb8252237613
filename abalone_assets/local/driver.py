"""Who drives a home's sensors and runs: one process, with the children that it started for that."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import psutil

from abalone_assets.errors import StorageError
from abalone_assets.lake.holder import process_identity, process_lives
from abalone_assets.local.instance import InstanceError
from abalone_assets.local.offspring import VARIABLE
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.settings.platform import Settings

RECORD_NAME: Final = "driver.json"


@dataclass(frozen=True)
class Driver:
    """The processes that drive a home, as they recorded themselves.

    Attributes:
        command: What started them, such as ``abalone dev``.
        identity: The identity of that command's process.
        children: The identities of its children by name; each leads a process group.
        temporary: Folder of the temporary files of all that it starts; empty where there is none.
    """

    command: str
    identity: str
    children: dict[str, str] = field(default_factory=dict)
    temporary: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The driver that the home's record names, if any of its processes lives."""
        path = record_path(settings)
        try:
            driver = record_of(cls, json.loads(path.read_bytes()), str(path), remedy="remove it")
        except (OSError, ValueError, StorageError):  # none, or one of another version
            return None
        return driver if driver.lives or driver.left else None

    def __str__(self) -> str:
        return f"`{self.command}` (process {_pid(self.identity)})"

    @property
    def lives(self) -> bool:
        """Whether the command's own process lives."""
        return process_lives(self.identity)

    @property
    def has_daemon(self) -> bool:
        """Whether it runs until somebody stops it, with the sensors and the queue of the home."""
        return self.command.endswith(" dev")

    @property
    def left(self) -> dict[str, int]:
        """The children of whose process groups something lives: their ids by name."""
        return {
            name: _pid(identity)
            for name, identity in self.children.items()
            if _group_lives(identity)
        }

    def to_error(self, settings: Settings) -> InstanceError:
        """Why nobody else may drive the home now, and how to end that."""
        children = ", ".join(f"{name} {pid}" for name, pid in self.left.items())
        if self.lives:
            pid = _pid(self.identity)
            who = f"another `{self.command}` (process {pid}{f'; {children}' if children else ''})"
            stop = f"stop it first (`kill {pid}`)"
        else:
            who = f"what a killed `{self.command}` left behind ({children})"
            groups = " ".join(f"-{pid}" for pid in self.left.values())
            stop = f"stop that first (`kill -- {groups}`)"
        return InstanceError(
            f"{settings.home} is driven by {who}: {stop}, or set ABALONE_HOME to another folder"
        )


def driver_elsewhere(settings: Settings) -> Driver | None:
    """The driver of the home, if it lives and has not started this process."""
    driver = Driver.of(settings)
    if driver is None or not driver.lives:
        return None
    ours = {os.environ.get(VARIABLE), process_identity(os.getpid())}
    return None if driver.identity in ours else driver


def driven_error(settings: Settings) -> InstanceError:
    """Why this process may not drive the home, as far as that is recorded."""
    driver = Driver.of(settings)
    if driver is not None:
        return driver.to_error(settings)
    return InstanceError(
        f"{settings.home} is driven by another `abalone dev` or `abalone demo`; stop that one"
        " first, or set ABALONE_HOME to another folder"
    )


def record_path(settings: Settings) -> Path:
    """Where a home's driver records itself."""
    return settings.dagster_home / RECORD_NAME


def _pid(identity: str) -> int:
    return int(identity.partition("/")[0])


def _group_lives(identity: str) -> bool:
    """Whether anything lives of the process group that the process leads or led.

    The system gives no new process the id of a group that still has members.
    """
    pid = _pid(identity)
    if psutil.pid_exists(pid):
        return process_lives(identity)
    return any(map(partial(_is_at_work_in, pid), psutil.pids()))


def _is_at_work_in(group: int, pid: int) -> bool:
    """Whether a process is of this group and has not ended, be it that nobody took note yet."""
    try:
        return os.getpgid(pid) == group and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error):
        return False
