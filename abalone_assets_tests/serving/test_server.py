from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from abalone_assets.errors import EndpointError
from abalone_assets.serving.app import INLINE_BYTES
from abalone_assets.serving.model_host import ServedModel
from abalone_assets.serving.protocol import MAX_BODY_BYTES
from abalone_assets.serving.server import EndpointServer
from abalone_assets.serving.state import ServerState, read_state, remove_state, write_state
from abalone_assets_tests.serving.support import (
    BODY,
    DEADLINE_SECONDS,
    ENDPOINT,
    RunningServer,
    local_prediction,
    new_registry,
    running_server,
    serving,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry

MANY = BODY * (1 + INLINE_BYTES // len(BODY))
"""A request that is not answered on the event loop."""

RUNTIME_PATH = f"/endpoints/{ENDPOINT}/invocations"


@pytest.fixture(scope="module")
def live(
    archives: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with the first archive as version 1, for tests that change nothing."""
    with serving(new_registry(tmp_path_factory.mktemp("live")), archives[0]) as running:
        yield running


def post(running: RunningServer, path: str, body: Any, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(running.url + path, data=body, headers=named, timeout=10)


@pytest.mark.parametrize("path", ["/invocations", RUNTIME_PATH])
def test_both_routes_answer_csv_with_the_models_predictions(
    live: RunningServer, archives: list[bytes], path: str
) -> None:
    response = post(live, path, BODY, Content_Type="text/csv", Accept="text/csv")

    assert response.status_code == 200
    assert [float(line) for line in response.text.split()] == local_prediction(archives[0])
    assert response.headers["Content-Type"] == "text/csv"
    assert response.headers["X-Abalone-Model-Version"] == "1"
    assert response.headers["x-Amzn-Invoked-Production-Variant"] == "AllTraffic"


def test_json_is_answered_with_rings_and_age(live: RunningServer, archives: list[bytes]) -> None:
    instances = [["M", 0.5, 0.4, 0.13, 0.7, 0.3, 0.15, 0.2]]
    response = post(
        live, "/invocations", json.dumps({"instances": instances}), Content_Type="application/json",
        Accept="application/json",
    )  # fmt: skip
    (answer,) = response.json()["predictions"]
    assert answer["rings"] == local_prediction(archives[0])[0]
    assert answer["age_years"] == pytest.approx(answer["rings"] + 1.5)


CSV = {"Content-Type": "text/csv"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        ("X,.5,.4,.1,.7,.3,.1,.2\n", CSV, 400, "column sex"),
        (BODY, {"Content-Type": "application/x-npy"}, 415, "application/x-npy"),
        (BODY, {}, 415, "not supported"),
        (BODY, CSV | {"Accept": "image/png"}, 406, "image/png"),
    ],
    ids=["bad sex", "npy", "no type", "accept"],
)
def test_the_container_route_refuses_with_its_own_status(
    live: RunningServer, body: bytes | str, headers: dict[str, str], status: int, message: str
) -> None:
    response = requests.post(live.url + "/invocations", data=body, headers=headers, timeout=10)
    assert response.status_code == status
    assert message in response.json()["Message"]


def test_a_body_over_the_limit_is_refused_though_its_size_is_not_declared(
    live: RunningServer,
) -> None:
    chunks = iter([b"1" * 2**20] * 7)
    response = post(live, RUNTIME_PATH, chunks, Content_Type="text/csv")
    assert response.status_code == 413
    assert "6291456 bytes" in response.json()["Message"]


def test_a_body_declared_too_large_is_refused_before_it_is_sent(live: RunningServer) -> None:
    head = (
        "POST /invocations HTTP/1.1\r\nHost: test\r\nContent-Type: text/csv\r\n"
        f"Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
    )
    host, _, port = live.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), DEADLINE_SECONDS) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_body_at_the_limit_is_read(live: RunningServer) -> None:
    blank_padded = BODY.encode().ljust(MAX_BODY_BYTES, b"\n")
    assert post(live, "/invocations", blank_padded, Content_Type="text/csv").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/nowhere", 404, None),
        ("GET", "/invocations", 405, "POST"),
        ("DELETE", "/ping", 405, "GET, HEAD"),
        ("POST", "/static/site.css", 405, "GET, HEAD"),
    ],
)
def test_protocol_errors_are_json_too(
    live: RunningServer, method: str, path: str, status: int, allowed: str | None
) -> None:
    response = requests.request(method, live.url + path, timeout=10)
    assert response.status_code == status
    assert response.json()["Message"]
    assert response.headers.get("Allow") == allowed


def test_a_defect_shows_no_stack_trace_and_the_server_lives_on(
    live: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError("the secret detail")

    with monkeypatch.context() as patched:
        patched.setattr(ServedModel, "invoke", explode)
        response = post(live, "/invocations", BODY, Content_Type="text/csv")

    assert response.status_code == 500
    assert response.headers["x-amzn-ErrorType"] == "InternalFailure"
    assert response.json()["Message"].startswith("the model failed on this request")
    assert "Traceback" not in response.text
    assert "secret" not in response.text
    assert live.client.invoke(BODY).rings


def test_describe_shows_what_is_served(live: RunningServer, archives: list[bytes]) -> None:
    before = live.client.describe()
    live.client.invoke(BODY)
    after = live.client.describe()

    assert requests.get(live.url + "/ping", timeout=10).status_code == 200
    assert after["status"] == "InService"
    assert after["version"] == after["requested_version"] == 1
    assert len(after["archive_sha256"]) == 64
    assert after["failure_reason"] is None
    assert after["requests"] == before["requests"] + 1


def test_a_server_without_a_deployment_waits_and_says_so(registry: FolderRegistry) -> None:
    with running_server(registry) as running:
        ping = requests.get(running.url + "/ping", timeout=10)
        assert ping.status_code == 503
        assert "waits for its first deployment" in ping.json()["Message"]
        assert running.client.describe()["status"] == "Creating"
        with pytest.raises(EndpointError, match="waits for its first deployment"):
            running.client.invoke(BODY)


def test_a_second_server_on_the_port_is_told_which_port_and_what_to_do(
    live: RunningServer, registry: FolderRegistry
) -> None:
    port = int(live.url.rpartition(":")[2])
    with pytest.raises(EndpointError, match=f"port {port} on .* is already in use; stop"):
        EndpointServer(registry, ENDPOINT, port=port).run()


def test_an_impossible_address_is_one_clear_error(registry: FolderRegistry) -> None:
    with pytest.raises(EndpointError, match=r"cannot listen on port 0 of 192\.0\.2\.1"):
        EndpointServer(registry, ENDPOINT, host="192.0.2.1").run()


def test_the_state_file_appears_when_connections_are_accepted_and_goes_at_the_end(
    tmp_path: Path, registry: FolderRegistry
) -> None:
    state_file = tmp_path / "deep" / "server.json"
    with running_server(registry, state_file=state_file) as running:
        assert read_state(state_file) == running.state
        assert running.state.endpoint == ENDPOINT
    assert not state_file.exists()
    assert list(state_file.parent.iterdir()) == []


def test_a_server_leaves_its_successors_state_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    state = ServerState("http://127.0.0.1:8080", 42, ENDPOINT, "2025-03-01T00:00:00+00:00")
    write_state(path, state)
    for other in (replace(state, pid=43), replace(state, machine="another")):
        remove_state(path, other)
        assert read_state(path) == state
    remove_state(path, state)
    assert not path.exists()


def test_a_state_file_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, registry: FolderRegistry
) -> None:
    (tmp_path / "file").write_text("")
    server = EndpointServer(registry, ENDPOINT, state_file=tmp_path / "file" / "server.json")
    with pytest.raises(EndpointError, match="cannot write the server's state file"):
        server.run()


def test_stopping_lets_a_request_in_flight_finish(
    archives: list[bytes], registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    invoke = ServedModel.invoke

    def slow(self: ServedModel, *arguments: Any) -> Any:
        entered.set()
        assert go_on.wait(DEADLINE_SECONDS)
        return invoke(self, *arguments)

    answers: list[requests.Response] = []
    with serving(registry, archives[0]) as running:
        monkeypatch.setattr(ServedModel, "invoke", slow)
        client = threading.Thread(
            target=lambda: answers.append(
                post(running, "/invocations", MANY, Content_Type="text/csv")
            )
        )
        client.start()
        assert entered.wait(DEADLINE_SECONDS)
        running.server.stop()
        wait_until(lambda: refuses_connections(running.url))
        go_on.set()
        client.join(DEADLINE_SECONDS)
    assert [answer.status_code for answer in answers] == [200]


def test_a_large_request_holds_up_no_small_one(
    live: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on, invoke = threading.Event(), threading.Event(), ServedModel.invoke

    def slow(served: ServedModel, body: bytes, *types: str) -> tuple[bytes, str]:
        if body.decode() == MANY:
            began.set()
            assert goes_on.wait(DEADLINE_SECONDS)
        return invoke(served, body, *types)

    monkeypatch.setattr(ServedModel, "invoke", slow)
    answers: list[requests.Response] = []
    large = threading.Thread(
        target=lambda: answers.append(post(live, "/invocations", MANY, Content_Type="text/csv"))
    )
    large.start()
    assert began.wait(DEADLINE_SECONDS)
    try:
        assert post(live, "/invocations", BODY, Content_Type="text/csv").status_code == 200
    finally:
        goes_on.set()
        large.join(DEADLINE_SECONDS)
    assert answers[0].status_code == 200


def test_a_single_row_takes_no_way_to_a_thread(
    live: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    invoke = ServedModel.invoke

    def seen(served: ServedModel, body: bytes, *types: str) -> tuple[bytes, str]:
        threads.append(threading.get_ident())
        return invoke(served, body, *types)

    monkeypatch.setattr(ServedModel, "invoke", seen)
    for body in (BODY, MANY, BODY):
        assert post(live, "/invocations", body, Content_Type="text/csv").status_code == 200
    first, large, last = threads
    assert first == last != large


def refuses_connections(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0
