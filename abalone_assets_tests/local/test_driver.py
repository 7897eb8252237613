"""The lock of a home's driver: it outlives the driver with its children, and names them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from abalone_assets.lake.holder import process_identity
from abalone_assets.local.driver import Driver, driven_error
from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.local.instance import InstanceError
from abalone_assets.local.offspring import VARIABLE, end_offspring, offspring_of
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import environment
from abalone_assets_tests.serving.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DRIVER = """
import os
import sys
import time
from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.local.offspring import VARIABLE
from abalone_assets.local.processes import Child
from abalone_assets.settings.platform import load_settings
with driver_lock(load_settings(), "abalone dev") as lock:
    keeps = lock.descriptor if sys.argv[1] == "keeps" else None
    program = "import subprocess; subprocess.run(['sleep', '60'], start_new_session=True)"
    path = dict(PATH="/usr/bin:/bin")
    mark = {VARIABLE: os.environ[VARIABLE]} if sys.argv[1] == "marked" else {}
    child = Child("Dagster", ["-c", program], {**path, **mark}, keeps=keeps)
    lock.record([child] if sys.argv[1] == "recorded" else [])
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["marked", "keeps", "recorded"])
def killed_driver(home: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """The id of a child of a driver that was killed, and has a child itself."""
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, request.param],
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
    ) as driver:
        assert driver.stdout is not None
        child = int(driver.stdout.readline())
        driver.kill()
    yield child
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def test_only_one_driver_gets_the_lock(home: Path) -> None:
    settings = load_settings()
    with driver_lock(settings, "abalone dev") as first, driver_lock(settings, "x") as second:
        assert first is not None
        assert second is None
    with driver_lock(settings, "abalone dev") as third:
        assert third is not None
    assert Driver.of(settings) is None


@pytest.mark.parametrize("killed_driver", ["keeps"], indirect=True)
def test_a_child_of_unknown_origin_keeps_the_lock_of_a_killed_driver(
    home: Path, killed_driver: int
) -> None:
    settings = load_settings()
    with driver_lock(settings, "abalone dev") as lock:
        assert lock is None
    os.killpg(killed_driver, signal.SIGKILL)
    wait_until(lambda: _is_free(home))


@pytest.mark.parametrize("killed_driver", ["marked"], indirect=True)
def test_what_a_killed_driver_had_started_ends_with_it(home: Path, killed_driver: int) -> None:
    wait_until(lambda: not psutil.pid_exists(killed_driver))
    wait_until(lambda: not [each for each in psutil.process_iter() if _sleeps_for(home, each)])


@pytest.mark.parametrize("killed_driver", ["recorded"], indirect=True)
def test_the_next_driver_ends_what_a_killed_one_left(home: Path, killed_driver: int) -> None:
    """Such as one of an earlier release, or one whose keeper was killed with it."""
    with driver_lock(load_settings(), "abalone dev") as lock:
        assert lock is not None
        assert lock.taken_over == [killed_driver]
    assert not psutil.pid_exists(killed_driver)


def _sleeps_for(home: Path, process: psutil.Process) -> bool:
    try:
        environ = process.environ()
        ours = VARIABLE in environ and environ.get("ABALONE_HOME") == str(home)
        return ours and process.cmdline() == ["sleep", "60"]
    except psutil.Error:
        return False


def test_what_was_started_at_any_depth_and_in_other_sessions_is_ended() -> None:
    program = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)"
    subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, VARIABLE: "a test"}, check=True
    )
    # The system shows a process before its environment; its parent may have ended by then.
    wait_until(lambda: offspring_of("a test"))
    (found,) = offspring_of("a test")
    assert end_offspring("a test") == [found.pid]
    assert offspring_of("a test") == []


def _is_free(home: Path) -> bool:
    with driver_lock(load_settings(), "abalone dev") as lock:
        return lock is not None


def test_the_refusal_names_the_processes_and_how_to_stop_them(home: Path) -> None:
    settings = load_settings()
    with driver_lock(settings, "abalone dev"):
        message = str(driven_error(settings))
    assert f"another `abalone dev` (process {os.getpid()})" in message
    assert f"`kill {os.getpid()}`" in message


def test_what_a_killed_driver_left_is_named_by_its_group_though_the_leader_is_dead(
    home: Path,
) -> None:
    program = "import subprocess; subprocess.Popen(['sleep', '60']); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], start_new_session=True, stdin=subprocess.PIPE, text=True
    ) as leader:
        identity = process_identity(leader.pid)
        leader.communicate("\n")
    dead = process_identity(leader.pid)
    driver = Driver("abalone dev", dead, {"Dagster": identity})
    assert driver.left == {"Dagster": leader.pid}
    error = driver.to_error(load_settings())
    os.killpg(leader.pid, signal.SIGKILL)
    assert isinstance(error, InstanceError)
    assert f"`kill -- -{leader.pid}`" in str(error)
    wait_until(lambda: driver.left == {})


def test_a_child_that_ended_drives_nothing_though_nobody_took_note_yet() -> None:
    program = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(program, process_group=0, stdin=subprocess.PIPE) as leader,
        subprocess.Popen(program, process_group=leader.pid, stdin=subprocess.PIPE) as member,
    ):
        driver = Driver("abalone dev", "0", {"Dagster": process_identity(leader.pid)})
        leader.communicate(b"\n")
        assert driver.left == {"Dagster": leader.pid}
        member.kill()  # and its parent, this process, does not wait for it yet
        wait_until(lambda: psutil.Process(member.pid).status() == psutil.STATUS_ZOMBIE)
        assert driver.left == {}


def test_a_record_that_cannot_be_read_is_no_obstacle(home: Path) -> None:
    (home / "dagster" / "driver.json").write_text("{")
    assert _is_free(home)
