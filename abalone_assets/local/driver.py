"""Who drives a home's sensors and runs: one process, with the children that it started for that."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final, Self

import psutil

from abalone_assets.errors import StorageError
from abalone_assets.lake.holder import process_identity, process_lives
from abalone_assets.local.instance import InstanceError
from abalone_assets.local.offspring import (
    STOP_SECONDS,
    VARIABLE,
    end_offspring,
    remove_temporary,
)
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from abalone_assets.local.processes import Child
    from abalone_assets.settings.platform import Settings

LOCK_NAME: Final = "driver.lock"
RECORD_NAME: Final = "driver.json"
POLL_SECONDS: Final = 0.1


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


class DriverLock:
    """The right to drive a home; it lasts until every process that holds ``descriptor`` ends.

    Attributes:
        descriptor: Of the lock's file.
        taken_over: Ids of processes that a killed driver had left behind, which have been ended.
    """

    def __init__(
        self, settings: Settings, descriptor: int, command: str, taken_over: Sequence[int] = ()
    ) -> None:
        self.descriptor = descriptor
        self.taken_over = taken_over
        self._path = _record_path(settings)
        self._driver = Driver(command, process_identity(os.getpid()))

    @property
    def identity(self) -> str:
        """Of the driver's process."""
        return self._driver.identity

    @property
    def is_gone(self) -> bool:
        """Whether the lock's file was deleted, and so the home: others may lock another one."""
        try:
            there = self._path.with_name(LOCK_NAME).stat()
        except OSError:
            return True
        return not os.path.samestat(there, os.fstat(self.descriptor))

    def record(self, children: Sequence[Child] = ()) -> None:
        """Record this process and its children for whoever is refused."""
        identities = {child.name: process_identity(child.pid) for child in children}
        self._driver = replace(self._driver, children=identities)
        temporary = self._path.with_name(f".{RECORD_NAME}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(self._driver)), encoding="utf-8")
        temporary.replace(self._path)

    def make_temporary(self) -> str:
        """Make and record a folder for temporary files of all that the driver starts."""
        temporary = mkdtemp(prefix="abalone-")
        self._driver = replace(self._driver, temporary=temporary)
        self.record()
        return temporary

    def forget(self) -> None:
        """Remove the record, unless a child outlived its end."""
        if not self._driver.left:
            self._path.unlink(missing_ok=True)


@contextmanager
def driver_lock(settings: Settings, command: str) -> Iterator[DriverLock | None]:
    """Try to become the one process that drives the home's sensors and runs.

    What this process starts meanwhile ends with it, however it ends, and what an earlier driver
    that was killed has left is ended first. Children that get the lock's descriptor keep it when
    this process is killed.

    Yields:
        The lock; None when others drive the home.

    Raises:
        InstanceError: The lock cannot be made.
    """
    lock = take_driver_lock(settings, command)
    try:
        if lock is None:
            yield None
            return
        with _offspring_ends_with_this(lock):
            yield lock
    finally:
        if lock is not None:
            lock.forget()
            os.close(lock.descriptor)  # not LOCK_UN: it would take it away from the children too


@contextmanager
def drive_or_follow(
    settings: Settings, command: str, seconds: float, on_wait: Callable[[Driver], None]
) -> Iterator[Driver | None]:
    """Become the home's driver, or find the one whose daemon drives it.

    One without a daemon, such as another `abalone demo`, ends by itself: that is waited for.

    Args:
        settings: The settings in force.
        command: As `driver_lock`.
        seconds: How long to wait at most.
        on_wait: Told whom this waits for, at each look.

    Yields:
        None when this process drives; else who does.

    Raises:
        InstanceError: The lock cannot be made, or the other one does not end in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        with driver_lock(settings, command) as lock:
            other = None if lock else Driver.of(settings)
            if lock is not None or (other is not None and other.has_daemon):
                yield other
                return
        if time.monotonic() > deadline:
            raise InstanceError(
                f"{other or 'another process'} still works on {settings.home} after {seconds:g} s:"
                " wait for its end and try again, or use a home of its own (ABALONE_HOME)"
            )
        if other is not None:
            on_wait(other)
        time.sleep(POLL_SECONDS)


def take_driver_lock(settings: Settings, command: str) -> DriverLock | None:
    """The same for as long as this process lives.

    Raises:
        InstanceError: The lock cannot be made.
    """
    taken_over = _take_over(settings)
    path = settings.dagster_home / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InstanceError(
            f"{path}: cannot open the lock ({error.strerror}); set ABALONE_HOME to a folder that"
            " you may write to"
        ) from error
    locked = False
    try:
        locked = _try_lock(descriptor) and Driver.of(settings) is None
    finally:
        if not locked:
            os.close(descriptor)
    if not locked:
        return None
    lock = DriverLock(settings, descriptor, command, taken_over)
    lock.record()
    return lock


def driver_elsewhere(settings: Settings) -> Driver | None:
    """The driver of the home, if it lives and has not started this process."""
    driver = Driver.of(settings)
    if driver is None or not driver.lives:
        return None
    ours = {os.environ.get(VARIABLE), process_identity(os.getpid())}
    return None if driver.identity in ours else driver


def start_keeper(lock: DriverLock) -> tuple[subprocess.Popen[bytes], int]:
    """A process that ends what the driver starts from now on, when the driver has ended.

    What it starts inherits the driver's mark, and a folder for its temporary files.

    Returns:
        It, and the descriptor that this process is to keep open.
    """
    temporary = lock.make_temporary()
    watched, held = os.pipe()
    try:
        module = "abalone_assets.local.keeper"
        environment = {name: each for name, each in os.environ.items() if name != VARIABLE}
        keeper = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", module, str(watched), lock.identity, temporary],
            env=environment,
            pass_fds=(watched,),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(watched)
    os.environ.update({VARIABLE: lock.identity, "TMPDIR": temporary})
    return keeper, held


@contextmanager
def _offspring_ends_with_this(lock: DriverLock) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (VARIABLE, "TMPDIR")}
    keeper, held = start_keeper(lock)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        os.close(held)
        keeper.wait()


def _take_over(settings: Settings) -> list[int]:
    """End what a driver that was killed has left behind; the ids of those processes."""
    driver = Driver.of(settings)
    if driver is None or driver.lives:
        return []
    ended = end_offspring(driver.identity)
    remove_temporary(driver.temporary)
    for pid in driver.left.values():  # of a driver whose children have no mark
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
            ended.append(pid)
    deadline = time.monotonic() + STOP_SECONDS
    while driver.left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return ended


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
