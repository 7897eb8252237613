"""What is particular to the endpoint on this machine: its server, pointer and state file."""

from __future__ import annotations

import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import requests

from abalone_assets.errors import EndpointError
from abalone_assets.serving import state
from abalone_assets.serving.client import EndpointClient, EndpointUnreachableError, Prediction
from abalone_assets.serving.local_endpoint import connect
from abalone_assets.serving.pointer import publish_pointer, read_pointer
from abalone_assets.serving.state import ServerState, write_state
from abalone_assets_tests.serving.support import (
    BODY,
    DEADLINE_SECONDS,
    ENDPOINT,
    LINES,
    RunningServer,
    endpoint_of,
    local_prediction,
    register,
    running_server,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry


PROBES = [(LINES[0], 9.0)]
WRONG = [(LINES[0], -1.0)]


def probes_of(archive: bytes) -> list[tuple[str, float]]:
    return list(zip(LINES, local_prediction(archive), strict=True))


def test_a_version_that_is_late_is_taken_back_and_never_answers(
    live: RunningServer,
    archives: list[bytes],
    registry: FolderRegistry,
    blocked_loads: threading.Event,
) -> None:
    with pytest.raises(EndpointError, match=r"version 2 is not live after 0\.2 s; version 1 is"):
        endpoint_of(registry, timeout_seconds=0.2).deploy(2, probes_of(archives[1]))
    assert live.client.describe()["status"] == "Updating"
    blocked_loads.set()
    wait_until(lambda: live.client.describe()["status"] == "InService")
    assert live.client.invoke(BODY).version == 1


def test_a_deployment_asks_once_and_the_live_versions_changes_nothing(
    live: RunningServer, archives: list[bytes], registry: FolderRegistry
) -> None:
    before = live.client.describe()["requests"]
    done = endpoint_of(registry).deploy(2, probes_of(archives[1]))
    assert done.url == f"{live.url}/endpoints/{ENDPOINT}"
    assert requests.get(done.url, timeout=10).json()["version"] == 2
    assert live.client.describe()["requests"] == before + 1
    assert live.client.invoke(BODY).rings == local_prediction(archives[1])

    pointer = read_pointer(registry.store, ENDPOINT)
    endpoint_of(registry).deploy(2, probes_of(archives[1]))
    assert live.client.describe()["requests"] == before + 3
    assert read_pointer(registry.store, ENDPOINT) == pointer


def test_the_link_to_a_server_that_ends_with_this_process_is_that_of_a_later_one(
    live: RunningServer,
    archives: list[bytes],
    registry: FolderRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state, "_is_own_child", lambda _: True)
    done = endpoint_of(registry, port=8123).deploy(2, probes_of(archives[1]))
    assert done.url == f"http://127.0.0.1:8123/endpoints/{ENDPOINT}"


def test_an_answer_of_another_version_proves_nothing(
    live: RunningServer, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "version 1 answered instead of version 2; version 1 is deployed again"
    with monkeypatch.context() as patched:
        patched.setattr(EndpointClient, "invoke", lambda *_: Prediction([9.0], 1))
        with pytest.raises(EndpointError, match=message):
            endpoint_of(registry).deploy(2, PROBES)
    assert live.client.invoke(BODY).version == 1


def raise_on_invoke(patched: pytest.MonkeyPatch, error: BaseException) -> None:
    def invoke(*_: object) -> None:
        raise error

    patched.setattr(EndpointClient, "invoke", invoke)


def test_a_cancelled_deployment_is_taken_back_too(
    live: RunningServer, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        raise_on_invoke(patched, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            endpoint_of(registry).deploy(2, PROBES)
    live.wait_for_version(1)
    assert endpoint_of(registry).live_version() == 1


def test_a_newer_deployment_wins_and_is_left_alone(
    live: RunningServer,
    archives: list[bytes],
    registry: FolderRegistry,
    blocked_loads: threading.Event,
) -> None:
    with ThreadPoolExecutor(1) as pool:
        older = pool.submit(endpoint_of(registry).deploy, 2, probes_of(archives[1]))
        wait_until(lambda: live.client.describe()["requested_version"] == 2)
        publish_pointer(registry.store, ENDPOINT, 3)
        blocked_loads.set()
        with pytest.raises(EndpointError, match=r"superseded by another deployment \(version 3\)"):
            older.result(DEADLINE_SECONDS)
    live.wait_for_version(3)


@pytest.mark.parametrize("version", [1, 2], ids=["the first one", "with one before it"])
@pytest.mark.parametrize(
    "error",
    [EndpointUnreachableError("timed out"), EndpointError("the model failed"), KeyboardInterrupt()],
    ids=["timeout", "error", "cancelled"],
)
def test_a_live_version_that_gives_no_answer_stays_live(
    live: RunningServer,
    registry: FolderRegistry,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    error: BaseException,
) -> None:
    if version != 1:
        publish_pointer(registry.store, ENDPOINT, version)
        live.wait_for_version(version)
    pointer = read_pointer(registry.store, ENDPOINT)
    with monkeypatch.context() as patched:
        raise_on_invoke(patched, error)
        with pytest.raises((EndpointError, KeyboardInterrupt)) as seen:
            endpoint_of(registry).deploy(version, PROBES)

    if isinstance(error, EndpointError):
        assert str(seen.value) == (
            f"{error}; version {version} was live before and is not taken back"
        )
    assert read_pointer(registry.store, ENDPOINT) == pointer
    assert live.client.invoke(BODY).version == version


def be_unreachable(patched: pytest.MonkeyPatch, *, first: int, last: int | None) -> None:
    """Let the looks at the server from ``first`` to ``last``, counted from 1, find none."""
    describe, looks = EndpointClient.describe, count(1)

    def describe_sometimes(self: EndpointClient) -> dict[str, Any]:
        look = next(looks)
        if look >= first and (last is None or look <= last):
            raise EndpointUnreachableError("no endpoint server answers")
        return describe(self)

    patched.setattr(EndpointClient, "describe", describe_sometimes)


def test_a_server_that_restarts_during_a_deployment_is_waited_for(
    live: RunningServer,
    archives: list[bytes],
    registry: FolderRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_unreachable(monkeypatch, first=2, last=4)
    probes = [(LINES[0], local_prediction(archives[1])[0])]
    assert endpoint_of(registry).deploy(2, probes).served
    assert live.client.invoke(BODY).version == 2


def test_a_server_that_does_not_come_back_is_told_and_finds_the_version_before(
    live: RunningServer, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = (
        r"version 2 is not live after 0\.1 s: no endpoint server answers"
        r"; version 1 is deployed again, but this is not live after 0\.1 s"
    )
    with monkeypatch.context() as patched:
        be_unreachable(patched, first=2, last=None)
        with pytest.raises(EndpointError, match=message):
            endpoint_of(registry, timeout_seconds=0.1).deploy(2, PROBES)
    live.wait_for_version(1)
    assert live.client.invoke(BODY).version == 1


def test_a_newer_request_for_the_same_version_is_left_alone(
    live: RunningServer, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke = EndpointClient.invoke

    def invoke_and_be_overtaken(self: EndpointClient, rows: str) -> Any:
        publish_pointer(registry.store, ENDPOINT, 2)
        return invoke(self, rows)

    with monkeypatch.context() as patched:
        patched.setattr(EndpointClient, "invoke", invoke_and_be_overtaken)
        with pytest.raises(EndpointError, match="; another deployment has asked for version 2"):
            endpoint_of(registry).deploy(2, WRONG)
    pointer = read_pointer(registry.store, ENDPOINT)
    assert pointer is not None
    assert (pointer.version, pointer.previous) == (2, 1)
    assert live.client.invoke(BODY).version == 2


def test_without_a_server_the_version_waits_for_the_next_one(
    archives: list[bytes], registry: FolderRegistry
) -> None:
    register(registry, archives[0])
    done = endpoint_of(registry).deploy(1, probes_of(archives[0]))

    assert (done.served, done.url) == (False, None)
    assert "start one with `abalone serve`" in done.message
    with running_server(registry) as running:
        running.wait_for_version(1)
        assert endpoint_of(registry).deploy(1, probes_of(archives[0])).served


@pytest.mark.parametrize("lost", ["versions/000001", "versions/000001/model.tar.gz", None])
def test_what_is_lost_is_no_version_to_return_to(
    archives: list[bytes], registry: FolderRegistry, lost: str | None
) -> None:
    for archive in archives[:2]:
        register(registry, archive)
    publish_pointer(registry.store, ENDPOINT, 1)
    assert registry.store.root is not None
    if lost is not None:
        path = registry.store.root / lost
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with running_server(registry) as running:
        assert endpoint_of(registry).deploy(2, probes_of(archives[1])).previous == 1
        assert running.client.describe()["version"] == 2
    pointer = read_pointer(registry.store, ENDPOINT)
    assert pointer is not None
    assert (pointer.version, pointer.previous) == (2, None if lost else 1)


def test_the_state_file_of_a_server_that_is_gone_means_no_server(
    archives: list[bytes], registry: FolderRegistry, state_file: Path
) -> None:
    register(registry, archives[0])
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    write_state(state_file, ServerState(url, 1, ENDPOINT, "2025-03-01T00:00:00+00:00"))
    assert not endpoint_of(registry).deploy(1, PROBES).served


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"url": 1}', b"\xff"])
def test_a_damaged_state_file_means_no_server(state_file: Path, content: bytes) -> None:
    state_file.write_bytes(content)
    assert connect(ENDPOINT, state_file=state_file) is None


@contextmanager
def other_program(status: int, body: bytes) -> Iterator[str]:
    """Some web server that is none of ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"[]"), (404, b"{}")])
def test_a_port_that_belongs_to_another_program_now_means_no_server(
    state_file: Path, status: int, body: bytes
) -> None:
    with other_program(status, body) as url:
        write_state(state_file, ServerState(url, 1, ENDPOINT, "2025-03-01T00:00:00+00:00"))
        assert connect(ENDPOINT, state_file=state_file) is None
        with pytest.raises(EndpointUnreachableError, match="another program's port"):
            EndpointClient(url, ENDPOINT).describe()


def test_the_server_of_another_endpoint_is_no_server_in_a_state_file_and_an_error_in_a_url(
    live: RunningServer, state_file: Path
) -> None:
    assert connect("other", state_file=state_file) is None
    with pytest.raises(EndpointError, match="Endpoint other not found"):
        connect("other", url=live.url)


def test_the_client_ignores_a_proxy_of_the_environment(
    live: RunningServer, archives: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert live.client.invoke(BODY).rings == local_prediction(archives[0])


def test_the_client_repeats_the_models_own_words(live: RunningServer) -> None:
    with pytest.raises(EndpointError, match=f"^endpoint {ENDPOINT}: row 1, column height: "):
        live.client.invoke("M,0.5,0.4,0,0.7,0.3,0.15,0.2")


def test_the_client_says_how_to_start_a_server_when_none_answers() -> None:
    with pytest.raises(EndpointUnreachableError, match="start one with `abalone serve`"):
        EndpointClient("http://127.0.0.1:9", ENDPOINT).invoke(BODY)
