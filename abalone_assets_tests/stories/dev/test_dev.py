"""`abalone dev`: both servers up, and none left behind.

The sensors are stopped first: when Dagster's daemon is stopped in the midst of a tick, it tells a
traceback of its own, because it closes its workspace before its threads have ended.
"""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
import requests

from abalone_assets_tests.cli.support import processes_of
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.support.stack import STOP_SECONDS, Stack, running_stack

if TYPE_CHECKING:
    from pathlib import Path

AT_ONCE_SECONDS = 5.0

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture
def quiet(stack: Stack) -> Stack:
    """The platform when no sensor ticks and no run is in flight; it may have ended."""
    if stack.process.poll() is None:
        stack.stop_sensors()
        stack.await_(lambda: not stack.in_flight(), "the end of all runs")
    return stack


@pytest.fixture
def ended(quiet: Stack) -> Stack:
    """The platform that has ended, on whose home another may start, with its sensors stopped."""
    if quiet.process.poll() is None:
        quiet.interrupt()
    return quiet


def test_in_a_terminal_both_urls_answer_and_ctrl_c_ends_everything(quiet: Stack) -> None:
    _check_from_answers_to_the_end(quiet)


def test_in_the_background_both_urls_answer_and_ctrl_c_ends_everything(ended: Stack) -> None:
    with running_stack(ended.home, ended.environ, background=True) as again:
        _check_from_answers_to_the_end(again)
        assert "Traceback" not in _daemon_log(again)


def test_when_the_endpoint_server_dies_dev_stops_the_rest(ended: Stack) -> None:
    with running_stack(ended.home, ended.environ) as again:
        server = next(each for each in processes_of(again.home) if "cli serve" in each.command)
        os.kill(server.pid, signal.SIGKILL)
        assert again.process.wait(timeout=STOP_SECONDS) == 1
        errors = again.errors.read_text()
        assert "the endpoint server ended: stopping the rest" in errors
        assert "Error: the endpoint server ended by itself (exit code -9); its log is" in errors
        assert processes_of(again.home) == []


def test_what_a_killed_dev_had_started_ends_with_it_and_the_next_start_is_not_refused(
    ended: Stack,
) -> None:
    with running_stack(ended.home, ended.environ) as killed:
        before = {each.pid for each in processes_of(killed.home)}
        killed.process.kill()
        killed.process.wait()
    with running_stack(ended.home, ended.environ) as again:
        assert before.isdisjoint(each.pid for each in processes_of(again.home))
        again.process.kill()
        again.process.wait()
    wait_for(lambda: processes_of(ended.home) == [], STOP_SECONDS)


def test_when_the_daemon_is_killed_dev_ends_with_all_that_it_started(ended: Stack) -> None:
    with running_stack(ended.home, ended.environ) as again:
        daemon = next(each for each in processes_of(again.home) if "_daemon" in each.command)
        os.kill(daemon.pid, signal.SIGKILL)
        assert again.process.wait(timeout=STOP_SECONDS) == 1
        assert "Error: Dagster (UI and daemon) ended by itself" in again.errors.read_text()
        assert processes_of(again.home) == []


def test_deleting_the_home_is_said_once_and_dev_ends(ended: Stack, tmp_path: Path) -> None:
    home = tmp_path / "deleted" / "home"
    shutil.copytree(ended.home, home)
    with running_stack(home, ended.environ) as again:
        errors = again.errors.rename(tmp_path / "errors")
        again.log.rename(tmp_path / "log")
        shutil.rmtree(home)
        assert again.process.wait(timeout=STOP_SECONDS) == 1
    assert errors.read_text().count("was deleted") == 2  # that it stops, and why it did
    assert processes_of(home) == []
    assert not home.exists()


def _check_from_answers_to_the_end(stack: Stack) -> None:
    assert requests.get(f"{stack.urls['UI']}/server_info", timeout=10).ok
    described = requests.get(f"{stack.urls['Endpoint']}/endpoints/abalone", timeout=10).json()
    assert described["endpoint"] == "abalone"
    query = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"
    assert stack.graphql(query)["workspaceOrError"]["locationEntries"] == [
        {"name": "abalone_assets", "loadStatus": "LOADED"}
    ]
    before = len(_daemon_log(stack))
    stack.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Stopping" in stack.log.read_text(), AT_ONCE_SECONDS)
    stack.process.wait(timeout=STOP_SECONDS)
    errors = stack.errors.read_text()
    assert stack.process.returncode == 130, errors
    assert errors == ""
    assert "Traceback" not in _daemon_log(stack)[before:]
    assert processes_of(stack.home) == []


def _daemon_log(stack: Stack) -> str:
    return (stack.home / "dagster" / "dev.log").read_text()
