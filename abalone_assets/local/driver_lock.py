"""How a process becomes the one that drives a home: by a lock that its children hold, too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from abalone_assets.lake.holder import process_identity
from abalone_assets.local.driver import RECORD_NAME, Driver, record_path
from abalone_assets.local.instance import InstanceError
from abalone_assets.local.offspring import (
    STOP_SECONDS,
    VARIABLE,
    end_offspring,
    remove_temporary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abalone_assets.local.processes import Child
    from abalone_assets.settings.platform import Settings

LOCK_NAME: Final = "driver.lock"
POLL_SECONDS: Final = 0.1


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
        self._path = record_path(settings)
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
    """The lock of `driver_lock`, for as long as this process lives; None when others have it.

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
