"""The server as a process of its own: signals, kill -9, restarts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from abalone_assets.serving.client import EndpointClient
from abalone_assets.serving.local_endpoint import connect
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.serving.state import ServerState, read_state
from abalone_assets_tests.serving.support import (
    BODY,
    DEADLINE_SECONDS,
    ENDPOINT,
    LINES,
    endpoint_of,
    local_prediction,
    register,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry

PROGRAM = """
from abalone_assets.serving.server import serve
from abalone_assets.settings.platform import load_settings

serve(load_settings(), host="127.0.0.1", port=0)
"""


@contextmanager
def server_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], ServerState]]:
    """A server process that has written its state file."""
    state_file = folder / "endpoint" / "server.json"
    settings = {"ABALONE_HOME": str(folder), "ABALONE_ENDPOINT_NAME": ENDPOINT}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: announced(state_file, process) or process.poll() is not None)
        state = announced(state_file, process)
        assert state is not None, process.communicate()
        yield process, state
    finally:
        process.kill()
        process.communicate()


def announced(state_file: Path, process: subprocess.Popen[str]) -> ServerState | None:
    state = read_state(state_file)
    return state if state is not None and state.pid == process.pid else None


def wait_for_version(state: ServerState, version: int) -> EndpointClient:
    client = EndpointClient(state.url, ENDPOINT)
    wait_until(lambda: client.describe()["version"] == version)
    return client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly_and_quietly(
    tmp_path: Path, registry: FolderRegistry, archives: list[bytes], number: signal.Signals
) -> None:
    register(registry, archives[0])
    publish_pointer(registry.store, ENDPOINT, 1)
    with server_process(tmp_path) as (process, state):
        wait_for_version(state, 1).invoke(BODY)
        process.send_signal(number)
        output = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0
        assert output == ("", "")
    assert not (tmp_path / "endpoint" / "server.json").exists()
    assert len(list((tmp_path / "captured_requests").rglob("*.jsonl"))) == 1


def test_after_kill_9_deployments_wait_and_a_restart_serves_them(
    tmp_path: Path, registry: FolderRegistry, archives: list[bytes]
) -> None:
    state_file = tmp_path / "endpoint" / "server.json"
    for archive in archives[:2]:
        register(registry, archive)
    publish_pointer(registry.store, ENDPOINT, 1)
    with server_process(tmp_path) as (process, state):
        wait_for_version(state, 1)
        process.kill()
        process.wait(DEADLINE_SECONDS)
    assert read_state(state_file) == state, "a killed server cannot remove its file"
    assert connect(ENDPOINT, state_file=state_file) is None

    probes = list(zip(LINES, local_prediction(archives[1]), strict=True))
    assert not endpoint_of(registry).deploy(2, probes).served

    with server_process(tmp_path) as (_, state):
        client = wait_for_version(state, 2)
        assert client.invoke(BODY).rings == local_prediction(archives[1])
        assert endpoint_of(registry).deploy(2, probes).served
