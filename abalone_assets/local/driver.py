"""Who drives a home's sensors and runs: one process, with the children that it started for that."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import psutil

from abalone_assets.errors import StorageError
from abalone_assets.lake.holder import process_identity, process_lives
from abalone_assets.local.instance import InstanceError
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from abalone_assets.local.processes import Child
    from abalone_assets.settings.platform import Settings

LOCK_NAME: Final = "driver.lock"
RECORD_NAME: Final = "driver.json"


@dataclass(frozen=True)
class Driver:
    """The processes that drive a home, as they recorded themselves.

    Attributes:
        command: What started them, such as ``abalone dev``.
        identity: The identity of that command's process.
        children: The identities of its children by name; each leads a process group.
    """

    command: str
    identity: str
    children: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The driver that the home's record names, if any of its processes lives."""
        path = _record_path(settings)
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


class DriverLock:
    """The right to drive a home; it lasts until every process that holds ``descriptor`` ends."""

    def __init__(self, settings: Settings, descriptor: int, command: str) -> None:
        self.descriptor = descriptor
        self._path = _record_path(settings)
        self._driver = Driver(command, process_identity(os.getpid()))

    def record(self, children: Sequence[Child] = ()) -> None:
        """Record this process and its children for whoever is refused."""
        identities = {child.name: process_identity(child.pid) for child in children}
        self._driver = replace(self._driver, children=identities)
        temporary = self._path.with_name(f".{RECORD_NAME}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(self._driver)), encoding="utf-8")
        temporary.replace(self._path)

    def forget(self) -> None:
        """Remove the record, unless a child outlived its end."""
        if not self._driver.left:
            self._path.unlink(missing_ok=True)


@contextmanager
def driver_lock(settings: Settings, command: str) -> Iterator[DriverLock | None]:
    """Try to become the one process that drives the home's sensors and runs.

    Children that get the lock's descriptor keep it when this process is killed. Their own children
    do not inherit it, so the recorded process groups count too.

    Yields:
        The lock; None when others drive the home.

    Raises:
        InstanceError: The lock cannot be made.
    """
    path = settings.dagster_home / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InstanceError(
            f"{path}: cannot open the lock ({error.strerror}); set ABALONE_HOME to a folder that"
            " you may write to"
        ) from error
    try:
        if not _try_lock(descriptor) or Driver.of(settings) is not None:
            yield None
            return
        lock = DriverLock(settings, descriptor, command)
        lock.record()
        try:
            yield lock
        finally:
            lock.forget()
    finally:
        os.close(descriptor)  # not LOCK_UN, which would take the lock away from the children too


def driven_error(settings: Settings) -> InstanceError:
    """Why this process may not drive the home, as far as that is recorded."""
    driver = Driver.of(settings)
    if driver is not None:
        return driver.to_error(settings)
    return InstanceError(
        f"{settings.home} is driven by another `abalone dev` or `abalone demo`; stop that one"
        " first, or set ABALONE_HOME to another folder"
    )


def _try_lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise InstanceError(
            f"the home's file system has no locks ({error.strerror}); set ABALONE_HOME to a folder"
            " of this machine"
        ) from error
    return True


def _record_path(settings: Settings) -> Path:
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
