"""`abalone dev`: both servers up, and none left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from abalone_assets.local.driver import driver_lock
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import abalone, environment, processes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STOP_SECONDS = 60


@contextmanager
def running_dev(
    home: Path, *, ignored: bool = False
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """`abalone dev` on free ports, and the URLs that it printed; SIGINT ignored as by ``&``."""
    program = "import signal, os, sys; signal.signal(signal.SIGINT, signal.SIG_IGN);"
    program += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    prefix = ["-c", program] if ignored else []
    process = subprocess.Popen(
        [
            *(sys.executable, *prefix, "-m", "abalone_assets.cli", "dev"),
            *("--port", "0", "--endpoint-port", "0"),
        ],
        env=environment(home),
        cwd=home.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, _printed_urls(process)
    finally:
        process.kill()
        process.communicate()
        for left in processes_of(home):
            os.kill(left.pid, signal.SIGKILL)


def _printed_urls(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    urls: dict[str, str] = {}
    for line in process.stdout:
        name, *rest = line.split()
        if rest and rest[0].startswith("http"):
            urls[name] = rest[0]
        if name == "Surveys":
            return urls
    raise AssertionError(process.communicate())


@pytest.mark.parametrize("ignored", [False, True], ids=["terminal", "background"])
def test_both_urls_answer_and_ctrl_c_ends_everything(tmp_path: Path, *, ignored: bool) -> None:
    home = tmp_path / "home"
    with running_dev(home, ignored=ignored) as (process, urls):
        assert requests.get(f"{urls['UI']}/server_info", timeout=10).ok
        description = requests.get(f"{urls['Endpoint']}/endpoints/abalone", timeout=10).json()
        assert description["endpoint"] == "abalone"
        query = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"
        answer = requests.post(f"{urls['UI']}/graphql", json={"query": query}, timeout=30).json()
        assert answer["data"]["workspaceOrError"]["locationEntries"] == [
            {"name": "abalone_assets", "loadStatus": "LOADED"}
        ]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=STOP_SECONDS)
        assert process.returncode == 130, errors
        assert errors == ""
        assert "Traceback" not in (home / "dagster" / "dev.log").read_text()
        assert processes_of(home) == []


def test_when_the_endpoint_server_dies_dev_stops_the_rest(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_dev(home) as (process, _):
        server = next(found for found in processes_of(home) if "cli serve" in found.command)
        os.kill(server.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=STOP_SECONDS)
        assert process.returncode == 1
        assert "the endpoint server ended: stopping the rest" in errors
        assert "Error: the endpoint server ended by itself (exit code -9); its log is" in errors
        assert processes_of(home) == []


@pytest.mark.parametrize("option", ["--port", "--endpoint-port"])
def test_a_taken_port_is_refused_before_anything_starts(home: Path, option: str) -> None:
    other = "--endpoint-port" if option == "--port" else "--port"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        result = abalone("dev", option, port, other, "0")
    assert result.exit_code == 1
    assert f"cannot listen on port {port}" in result.stderr
    assert option in result.stderr


def test_a_second_dev_of_the_same_home_is_refused(home: Path) -> None:
    with driver_lock(load_settings(), "abalone dev"):
        result = abalone("dev", "--port", "0", "--endpoint-port", "0")
    assert result.exit_code == 1
    assert f"is driven by another `abalone dev` (process {os.getpid()})" in result.stderr
