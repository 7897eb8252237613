"""A code server whose process was killed is asked to load the code again."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from abalone_assets.local import code_server
from abalone_assets.local.code_server import CodeServerWatch
from abalone_assets_tests.fakes.support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVES = "import time; time.sleep(60)"
STARTS = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[2], "grpc"]).wait()
import time; time.sleep(60)
"""


@contextmanager
def tree() -> Iterator[psutil.Process]:
    """A process that started a code server, which started one that serves, and one that ended.

    Nobody waits for the last one, as Dagster's daemon does not for the process whose forks have all
    come to their end: the system keeps its number, without a command.
    """
    started = f"[sys.executable, '-c', {STARTS!r}, 'code-server', {SERVES!r}]"
    ended = "subprocess.Popen([sys.executable, '-c', ''])"
    outer = f"import subprocess, sys; ended = {ended}; subprocess.Popen({started}).wait()"
    process = psutil.Process(subprocess.Popen([sys.executable, "-c", outer]).pid)
    try:
        wait_for(
            lambda: len(_states(process)) == 3 and psutil.STATUS_ZOMBIE in _states(process), 20
        )
        yield process
    finally:
        for each in [*process.children(recursive=True), process]:
            each.kill()
        process.wait()


def _states(process: psutil.Process) -> list[str]:
    return [each.status() for each in process.children(recursive=True)]


@pytest.fixture
def asked() -> Iterator[tuple[str, list[Any]]]:
    """A web server, and what it was asked."""
    bodies: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()
        thread.join()


def test_it_is_asked_once_it_was_missed_twice(
    asked: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_server, "LOOK_SECONDS", 0.0)
    url, bodies = asked
    with tree() as dagster:
        watch = CodeServerWatch(dagster.pid, url)
        assert [watch.look() for _ in range(3)] == [False] * 3
        serving = next(
            each
            for each in dagster.children(recursive=True)
            if each.status() != psutil.STATUS_ZOMBIE and "grpc" in each.cmdline()
        )
        serving.kill()
        wait_for(lambda: not serving.is_running() or serving.status() == psutil.STATUS_ZOMBIE, 20)
        assert [watch.look() for _ in range(2)] == [False, True]
    assert [body["variables"] for body in bodies] == [{"name": "abalone_assets"}]


def test_a_look_costs_nothing_between_two(asked: tuple[str, list[Any]]) -> None:
    watch = CodeServerWatch(0, asked[0])
    assert not watch.look()
    assert watch._next > 0
    assert not watch.look()


def test_a_web_server_that_does_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_server, "LOOK_SECONDS", 0.0)
    watch = CodeServerWatch(0, "http://127.0.0.1:9")
    monkeypatch.setattr(watch, "_serves_nothing", lambda: True)
    assert [watch.look() for _ in range(4)] == [False] * 4


def test_ended_processes_are_no_defect() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not CodeServerWatch(ended.pid, "http://127.0.0.1:9")._serves_nothing()
