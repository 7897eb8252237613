"""A code location that could no longer notice dead workers ends, and is started again.

The services of production lose their database in ``services/production``.
"""

from __future__ import annotations

import logging
import socket
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.utils import FuturesAwareThreadPoolExecutor
from dagster._grpc.server import DagsterApiServer

from abalone_assets.local import code_location
from abalone_assets_tests.fakes.support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The exit codes with which the process would have ended."""
    codes: list[int] = []
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    code_location.end_with_the_watch(codes.append)
    return codes


@pytest.fixture
def away(tmp_path: Path) -> InstanceRef:
    """An instance whose database does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = {"hostname": "127.0.0.1", "port": port, "username": "dagster", "db_name": "dagster"}
    storage = {"postgres": {"postgres_db": {**address, "scheme": "postgresql+psycopg2"}}}
    return InstanceRef.from_dir(str(tmp_path), overrides={"storage": storage})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[DagsterApiServer]:
    """What `dagster api grpc` serves."""
    monkeypatch.setattr("dagster_postgres.utils.calculate_delay", lambda **_: 0.0)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    end = threading.Event()
    with FuturesAwareThreadPoolExecutor(max_workers=1) as executor:
        server = DagsterApiServer(end, logging.getLogger("code_location"), executor)
        yield server
        end.set()
        server.cleanup()


def test_it_ends_when_a_worker_died_while_the_database_is_away(
    server: DagsterApiServer, away: InstanceRef, ended: list[int]
) -> None:
    worker: Any = SimpleNamespace(is_alive=lambda: False, exitcode=-9)
    with server._execution_lock:
        server._executions["run"] = worker, away
    wait_for(lambda: ended == [1], 20)


def test_a_thread_that_others_started_may_fail(ended: list[int]) -> None:
    thread = threading.Thread(target=lambda: 1 // 0, name="another")
    thread.start()
    thread.join()
    assert ended == []
