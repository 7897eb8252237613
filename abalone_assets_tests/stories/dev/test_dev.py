"""`abalone dev`: both servers up, and none left behind.

The stories before have left a home whose surveys are all released: the sensors ask for nothing, in
whose midst Dagster's daemon would tell a traceback when it is stopped.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
import requests

from abalone_assets_tests.cli.support import processes_of
from abalone_assets_tests.support.stack import STOP_SECONDS, Stack, running_stack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture
def released_home(stack: Stack) -> Path:
    """The home, when no `abalone dev` runs on it any more."""
    if stack.process.poll() is None:
        stack.interrupt()
    return stack.home


def test_in_a_terminal_both_urls_answer_and_ctrl_c_ends_everything(stack: Stack) -> None:
    stack.await_release()
    stack.await_(lambda: not stack.in_flight(), "the end of all runs")
    _check_from_answers_to_the_end(stack)


def test_in_the_background_both_urls_answer_and_ctrl_c_ends_everything(
    stack: Stack, released_home: Path
) -> None:
    with running_stack(released_home, stack.environ, background=True) as again:
        _check_from_answers_to_the_end(again)
        assert "Traceback" not in _daemon_log(again)


def test_when_the_endpoint_server_dies_dev_stops_the_rest(
    stack: Stack, released_home: Path
) -> None:
    with running_stack(released_home, stack.environ) as again:
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
