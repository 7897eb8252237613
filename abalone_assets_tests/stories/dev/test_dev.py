"""`abalone dev`: both servers up, and none left behind.

The sensors are stopped first: when Dagster's daemon is stopped in the midst of a tick, it tells a
traceback of its own, because it closes its workspace before its threads have ended.
"""

from __future__ import annotations

import os
import signal

import pytest
import requests

from abalone_assets_tests.cli.support import processes_of
from abalone_assets_tests.support.stack import STOP_SECONDS, Stack, running_stack

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture
def quiet(stack: Stack) -> Stack:
    """The platform when no sensor ticks and no run is in flight; it may have ended."""
    if stack.process.poll() is None:
        for sensor in ("survey_sensor", "release_sensor", "approval_sensor"):
            stack.stop_sensor(sensor)
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


def _check_from_answers_to_the_end(stack: Stack) -> None:
    assert requests.get(f"{stack.urls['UI']}/server_info", timeout=10).ok
    described = requests.get(f"{stack.urls['Endpoint']}/endpoints/abalone", timeout=10).json()
    assert described["endpoint"] == "abalone"
    query = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"
    assert stack.graphql(query)["workspaceOrError"]["locationEntries"] == [
        {"name": "abalone_assets", "loadStatus": "LOADED"}
    ]
    before = len(_daemon_log(stack))
    stack.interrupt()
    errors = stack.errors.read_text()
    assert stack.process.returncode == 130, errors
    assert errors == ""
    assert "Traceback" not in _daemon_log(stack)[before:]
    assert processes_of(stack.home) == []


def _daemon_log(stack: Stack) -> str:
    return (stack.home / "dagster" / "dev.log").read_text()
