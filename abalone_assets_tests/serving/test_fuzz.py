"""Whatever a client sends, no answer is a 500, and the server answers the next one.

``make fuzz`` asks many more questions than the suite: ``EXAMPLES=20000``.
"""

from __future__ import annotations

import json
import os
import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abalone_assets_tests.serving.support import (
    BODY,
    LINES,
    ServingProcess,
    serving_process,
    tiny_archive,
)
from abalone_assets_tests.support.strategies import Shown, partition_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

pytestmark = pytest.mark.service
EXAMPLES = int(os.environ.get("ABALONE_TEST_EXAMPLES", "150"))
SECONDS = 20.0
GROWTH = 24.0
"""MiB by which the process may grow after a third of the requests: what it does once is done."""

PATHS = [
    *("/ping", "/invocations", "/endpoints/abalone", "/endpoints/abalone/invocations"),
    *("/metrics", "/openapi.json", "/", "/age", "/age/check", "/age/model", "/ages", "/models"),
    *("/surveys", "/surveys/upload", "/surveys/upload/x", "/surveys/upload/x/marked"),
    *("/models/compare", "/reports", "/static/site.css", "/drift/report", "/surveys/find"),
    *("/surveys/abalone.20250303120000", "/surveys/animals.20250303120000/ages"),
    *("/models/1", f"/reports/{'0' * 64}", "/drift"),
]
METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]
TYPES = ["text/csv", "application/json", "text/plain", "application/x-npy", "text/html", "*/*", ""]
FIELDS = [
    *("Content-Type", "Accept", "Accept-Encoding", "Content-Encoding", "Content-Length", "Expect"),
    *("Transfer-Encoding", "Host", "Origin", "Cookie", "Authorization", "X-Forwarded-For", "Range"),
    *("X-Forwarded-Proto", "X-Amzn-SageMaker-Inference-Id", "If-None-Match"),
    *("Connection", "Upgrade"),
]
CELL = st.one_of(
    st.sampled_from(["", "M", "F", "I", "m", "-1", "0", "1e999", "nan", "inf", "0x1", "1_0", "'"]),
    st.floats().map(str),
    st.integers().map(str),
    st.text(max_size=6),
)
ROWS = st.lists(st.lists(CELL, max_size=10).map(",".join), max_size=5).map("\n".join)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(LINES),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["instances", "sex", "length", "rings", "features", "rows", "data", ""]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
).map(json.dumps)
NESTED = st.builds(
    lambda depth, opening: opening * depth, st.integers(0, 30_000), st.sampled_from(["[", '{"a":'])
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.one_of(ROWS, JSON, NESTED, st.just(BODY), st.text(max_size=99)).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    ),
)
VALUES = st.one_of(
    st.sampled_from([*TYPES, "gzip", "chunked", "close", "100-continue", "bytes=0-1"]),
    st.text(max_size=30),
)
DAYS_ASKED_FOR = [
    *("/surveys?day={}", "/surveys?before={}", "/surveys/find?what={}", "/surveys/{}"),
    *("/surveys/abalone.{}", "/surveys/{}/original", "/surveys/{}/marked", "/surveys/{}/ages"),
]
TARGETS = st.one_of(
    st.sampled_from(PATHS),
    st.builds(str.format, st.sampled_from(DAYS_ASKED_FOR), partition_keys),
    st.builds(str.format, st.sampled_from(DAYS_ASKED_FOR), partition_keys.map(quote)),
    st.builds("{}?{}".format, st.sampled_from(PATHS), st.text("abc=&%01+;:/", max_size=20)),
    st.builds("{}/{}".format, st.sampled_from(PATHS), st.text("./%0aAé2f~", max_size=12)),
    st.text(max_size=20).map("/{}".format),
)


def _wire(text: str) -> bytes:
    return text.encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"")


@st.composite
def requests_of_a_client(draw: st.DrawFn) -> bytes:
    """Mostly right, so that it comes far."""
    body = draw(BODIES)
    target = draw(TARGETS).replace(" ", "%20")
    lines = [_wire(f"{draw(st.sampled_from(METHODS))} {target} HTTP/1.1"), b"Host: test"]
    lines.append(_wire(f"Content-Type: {draw(st.sampled_from(TYPES))}"))
    for name, value in draw(st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), max_size=3)):
        lines.append(_wire(f"{name}: {value}"))
    if draw(st.booleans()) or not body:
        lines.append(b"Content-Length: %d" % len(body))
        sent = body
    else:
        lines.append(b"Transfer-Encoding: chunked")
        sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    lines.append(b"Connection: close")
    return Shown(b"\r\n".join([*lines, b"", b""]) + sent)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    """A process with every page."""
    with serving_process(tmp_path_factory.mktemp("fuzz"), tiny_archive(1)) as served:
        yield served


def answer_to(served: ServingProcess, sent: bytes) -> bytes:
    """What the server says until it hangs up."""
    host, _, port = served.state.url.removeprefix("http://").partition(":")
    parts = []
    with socket.create_connection((host, int(port)), SECONDS) as connection:
        try:
            connection.sendall(sent)
            with suppress(OSError):  # the server may have hung up already
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionError:
            pass
    return b"".join(parts)


def _asked(served: ServingProcess, sent: SearchStrategy[bytes]) -> None:
    """Ask; what the process says and holds is looked at meanwhile."""
    held: list[float] = []

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(sent)
    def ask(request: bytes) -> None:
        answer = answer_to(served, request)
        held.append(psutil.Process(served.process.pid).memory_info().rss / 2**20)
        if answer:
            assert answer.startswith(b"HTTP/1.1 "), answer[:80]
            assert not answer.startswith(b"HTTP/1.1 500"), answer[:400]

    ask()
    ping = b"GET /ping HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    assert answer_to(served, ping).startswith(b"HTTP/1.1 200")
    assert not re.search(r"ERROR|Traceback", served.log.read_text())
    assert max(held[2 * EXAMPLES // 3 :]) < max(held[: EXAMPLES // 3]) + GROWTH


@pytest.mark.timeout(0 if EXAMPLES > 1000 else 300)
def test_no_request_that_is_nearly_right_is_answered_by_500(served: ServingProcess) -> None:
    _asked(served, requests_of_a_client())


@pytest.mark.timeout(0 if EXAMPLES > 1000 else 300)
def test_no_bytes_at_all_are_answered_by_500(served: ServingProcess) -> None:
    pieces = st.sampled_from(
        [
            b"GET ",
            b"POST ",
            b"/invocations",
            b" HTTP/1.1",
            b"\r\n",
            b"Content-Length: ",
            b"5",
            b"Transfer-Encoding: chunked",
            b"Host: t",
            b":",
            b"\r\n\r\n",
            b"\0",
            b"Upgrade: h2c",
            b"Connection: Upgrade",
            b"-1",
            b"99999999999999999999",
            BODY.encode(),
        ]
    )
    _asked(served, st.lists(pieces | st.binary(max_size=9), max_size=14).map(b"".join))
