"""Clients that are slow, silent, half gone or many: each has one answer, and stops nobody else."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import requests

from abalone_assets.serving import connections
from abalone_assets.serving.app import INLINE_BYTES
from abalone_assets.serving.connections import MAX_HEAD_BYTES
from abalone_assets.serving.model_host import ServedModel
from abalone_assets.serving.protocol import MAX_BODY_BYTES
from abalone_assets_tests.serving.support import (
    BODY,
    DEADLINE_SECONDS,
    RunningServer,
    new_registry,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = BODY * (1 + INLINE_BYTES // len(BODY))
HEAD = "POST /invocations HTTP/1.1\r\nHost: test\r\nContent-Type: text/csv\r\n"
IDLE = 1000
AT_ONCE = 2.0


@pytest.fixture(scope="module")
def live(
    archives: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with the first archive as version 1, for tests that change nothing."""
    with serving(new_registry(tmp_path_factory.mktemp("connections")), archives[0]) as running:
        yield running


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients have a third of a second."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.3)


def connect(running: RunningServer) -> socket.socket:
    host, _, port = running.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), DEADLINE_SECONDS)


def told(connection: socket.socket) -> str:
    """All that the server says until it hangs up."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts).decode()


def request_of(body: str | bytes, *headers: str, version: str = "1.1") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    lines = [f"POST /invocations HTTP/{version}", "Host: test", "Content-Type: text/csv"]
    lines += [*headers, f"Content-Length: {len(data)}", "", ""]
    return "\r\n".join(lines).encode() + data


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("", ""),
        ("POST /invo", "408"),
        (HEAD, "408"),
        (f"{HEAD}Content-Length: 1000\r\n\r\n", "408"),
        (f"{HEAD}Content-Length: 1000\r\n\r\nM,0.4", "408"),
        (f"{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nM,0.4\r\n", "408"),
    ],
    ids=["nothing", "half a line", "half a head", "no body", "half a body", "half of the chunks"],
)
def test_a_client_that_is_too_slow_is_told_so_and_let_go(
    live: RunningServer, sent: str, status: str
) -> None:
    with connect(live) as connection:
        connection.sendall(sent.encode())
        answer = told(connection)
    assert answer[9:12] == status
    assert not status or "did not come to its end in time" in answer


@pytest.mark.usefixtures("hasty")
def test_a_client_that_sends_a_byte_now_and_then_is_too_slow_all_the_same(
    live: RunningServer,
) -> None:
    with connect(live) as connection:
        began = time.monotonic()
        connection.settimeout(0.05)
        connection.sendall(b"POST /")
        answer = b""
        while not answer:
            connection.sendall(b"a")
            try:
                answer = connection.recv(100)
            except TimeoutError:
                assert time.monotonic() - began < DEADLINE_SECONDS
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.usefixtures("hasty")
def test_the_time_ends_with_the_request_and_begins_anew_with_the_next(
    live: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke = ServedModel.invoke

    def slowly(model: ServedModel, body: bytes, given: str, accept: str) -> tuple[bytes, str]:
        time.sleep(0.5)
        return invoke(model, body, given, accept)

    monkeypatch.setattr(ServedModel, "invoke", slowly)
    with requests.Session() as session:
        for _ in range(2):
            answer = session.post(
                f"{live.url}/invocations", BODY, headers={"Content-Type": "text/csv"}, timeout=10
            )
            assert answer.status_code == 200


def test_a_body_may_take_longer_than_headers(
    live: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with connect(live) as connection:
        connection.sendall(request_of(BODY, "Connection: close").removesuffix(BODY.encode()))
        time.sleep(0.6)
        connection.sendall(BODY.encode())
        assert told(connection).startswith("HTTP/1.1 200")


def test_a_client_that_reads_no_answer_is_let_go(
    live: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.3)
    lines = BODY * (MAX_BODY_BYTES // len(BODY) // 8)
    with connect(live) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def go_on() -> None:
            for _ in range(200):
                connection.sendall(request_of(lines))
                time.sleep(0.05)

        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            go_on()
    assert requests.get(f"{live.url}/ping", timeout=10).status_code == 200


def test_headers_without_an_end_are_refused(live: RunningServer) -> None:
    with connect(live) as connection:
        connection.sendall(f"{HEAD}X-Long: {'a' * MAX_HEAD_BYTES}".encode())
        answer = told(connection)
    assert answer.startswith("HTTP/1.1 431")
    assert f"{MAX_HEAD_BYTES} bytes" in answer


def test_who_takes_it_for_a_proxy_is_refused(
    live: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(live) as connection:
        connection.sendall(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
        assert told(connection).startswith("HTTP/1.1 400")
    assert "Fatal error" not in caplog.text


def test_headers_up_to_the_limit_are_read(live: RunningServer) -> None:
    request = request_of(BODY, f"X-Long: {'a' * (MAX_HEAD_BYTES - 500)}", "Connection: close")
    with connect(live) as connection:
        connection.sendall(request)
        assert told(connection).startswith("HTTP/1.1 200")


@pytest.mark.parametrize("body", [BODY, MANY], ids=["one row", "many rows"])
def test_a_client_that_closed_its_side_gets_its_answer(live: RunningServer, body: str) -> None:
    with connect(live) as connection:
        connection.sendall(request_of(body))
        connection.shutdown(socket.SHUT_WR)
        answer = told(connection)
    assert answer.startswith("HTTP/1.1 200")
    assert len(answer.partition("\r\n\r\n")[2].split()) == body.count("\n")


def test_a_client_that_closed_its_side_gets_all_of_its_answers(live: RunningServer) -> None:
    with connect(live) as connection:
        connection.sendall(request_of(MANY) * 3)
        connection.shutdown(socket.SHUT_WR)
        answers = told(connection)
    assert answers.count("HTTP/1.1 200") == 3
    assert answers.count("connection: close") == 1, "nobody asks any more"


def test_a_client_that_closed_its_side_in_a_request_gets_none(live: RunningServer) -> None:
    with connect(live) as connection:
        connection.sendall(request_of(BODY)[:-5])
        connection.shutdown(socket.SHUT_WR)
        assert told(connection) == ""


def test_who_asks_first_whether_to_go_on_is_told_to(live: RunningServer) -> None:
    with connect(live) as connection:
        connection.sendall(request_of(BODY, "Expect: 100-continue").removesuffix(BODY.encode()))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(BODY.encode())
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_who_asks_first_with_too_large_a_body_is_spared_it(live: RunningServer) -> None:
    length = f"Content-Length: {MAX_BODY_BYTES + 1}"
    with connect(live) as connection:
        connection.sendall(f"{HEAD}Expect: 100-continue\r\n{length}\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_body_in_chunks_is_read(live: RunningServer) -> None:
    chunks = (BODY[start : start + 7].encode() for start in range(0, len(BODY), 7))
    answer = requests.post(
        f"{live.url}/invocations", chunks, headers={"Content-Type": "text/csv"}, timeout=10
    )
    assert (answer.status_code, len(answer.text.split())) == (200, BODY.count("\n"))


def test_a_compressed_body_is_refused_whatever_it_would_become(live: RunningServer) -> None:
    with connect(live) as connection:
        headers = ("Content-Encoding: gzip", "Connection: close")
        connection.sendall(request_of(gzip.compress(BODY.encode()), *headers))
        answer = told(connection)
    assert answer.startswith("HTTP/1.1 415")
    assert "content coding 'gzip' is not read" in answer
    assert "accept-encoding: identity" in answer.lower()


@pytest.mark.parametrize(
    "offer",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        ("Connection: Upgrade", "Upgrade: websocket"),
    ],
    ids=["HTTP/2", "websocket"],
)
def test_an_offer_of_another_protocol_is_not_taken_and_the_body_is_read(
    live: RunningServer, offer: tuple[str, ...]
) -> None:
    """Java's HTTP client offers HTTP/2 with its first request, whatever that is."""
    request = request_of(BODY, *offer)
    for pieces in ([request], [request[:150], request[150:-9], request[-9:]]):
        with connect(live) as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.05)
            connection.sendall(request_of(BODY, "Connection: close"))
            assert told(connection).count("HTTP/1.1 200") == 2


def test_a_thousand_idle_connections_and_slow_ones_hold_up_nobody(live: RunningServer) -> None:
    with ExitStack() as stack:
        for number in range(IDLE):
            connection = stack.enter_context(connect(live))
            if number % 2:
                connection.sendall(HEAD.encode())
        began = time.monotonic()
        for _ in range(20):
            answer = requests.post(
                f"{live.url}/invocations", BODY, headers={"Content-Type": "text/csv"}, timeout=10
            )
            assert answer.status_code == 200
        assert time.monotonic() - began < 20 * AT_ONCE


def test_the_longest_idle_connection_makes_room_for_a_new_one(
    archives: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        live = stack.enter_context(serving(new_registry(tmp_path), archives[0]))
        monkeypatch.setattr(connections, "getrlimit", lambda _: (8, 8))  # six connections
        first = stack.enter_context(connect(live))
        busy = stack.enter_context(connect(live))
        busy.sendall(HEAD.encode())
        time.sleep(0.05)
        others = [stack.enter_context(connect(live)) for _ in range(8)]
        assert first.recv(1) == b""
        busy.sendall(f"Content-Length: {len(BODY)}\r\n\r\n{BODY}".encode())
        assert busy.recv(12) == b"HTTP/1.1 200"
        others[-1].sendall(request_of(BODY))
        assert others[-1].recv(12) == b"HTTP/1.1 200"


def test_clients_of_every_kind_at_once_get_what_each_would_alone(live: RunningServer) -> None:
    failures: list[Exception] = []

    def ask(number: int) -> None:
        try:
            with connect(live) as connection:
                request = request_of(BODY, "Connection: close")
                step = len(request) if number % 3 else 40
                for start in range(0, len(request), step):
                    connection.sendall(request[start : start + step])
                    time.sleep(0.005)
                assert told(connection).startswith("HTTP/1.1 200")
        except (OSError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert failures == []
