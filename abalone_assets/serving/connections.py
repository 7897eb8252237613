"""What a connection to the endpoint may cost, and how long it may take, before a request is whole.

Uvicorn ends connections that are idle between two requests, and nothing else: one that never sends
a byte, or a byte a minute, or headers without an end, would be held for ever. What is answered
while the rest of a request is under way is the application's to say.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from resource import RLIMIT_NOFILE, getrlimit
from typing import TYPE_CHECKING, Final, TypeGuard

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from abalone_assets.serving.protocol import ERROR_HEADER

if TYPE_CHECKING:
    from asyncio.events import TimerHandle

HEAD_SECONDS: Final = 20.0
"""From the connection, or the first byte of a request, to the end of its headers."""

BODY_SECONDS: Final = 270.0
"""From there to the end of its body: the largest one, an upload, at half a megabit a second."""

UNREAD_SECONDS: Final = 60.0
"""How long a client may leave an answer unread that fills its buffers."""

MAX_HEAD_BYTES: Final = 2**16
OPEN_SHARE: Final = 0.75
"""Of the files that the process may open: beyond, the longest idle connection makes room."""

_HOP_BY_HOP: Final = frozenset({b"upgrade", b"connection", b"http2-settings"})


class LimitedConnection(HttpToolsProtocol):
    """One client's connection.

    A request that takes too long is told so by 408, one with too many headers by 431; a connection
    on which nothing was ever sent is closed. A client that has closed its side still gets the
    answers to what it sent. An offer to go on in another protocol is not taken, as HTTP allows.
    """

    _deadline: TimerHandle | None = None
    _unread: TimerHandle | None = None
    _quiet_since = 0.0
    _head_bytes = 0
    _in_head = True
    _upgrades = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for its first request."""
        super().connection_made(transport)
        self._quiet_since = self.loop.time()
        self._expect_within(HEAD_SECONDS)
        if len(self.connections) > OPEN_SHARE * getrlimit(RLIMIT_NOFILE)[0]:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._expect_nothing()
        self._expect_no_reader()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the way back open for answers that are under way."""
        last: RequestResponseCycle | None = self.cycle
        if last is None or last.response_complete or last.more_body:
            return False
        last.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Read on, unless the headers are too many."""
        self._unset_keepalive_if_required()
        self._quiet_since = self.loop.time()
        if self._in_head:
            self._head_bytes += len(data)
            if self._deadline is None:
                self._expect_within(HEAD_SECONDS)
        try:
            self._parse(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):  # CONNECT upgrades twice
            self._refuse(HTTPStatus.BAD_REQUEST, "this is no HTTP request")
            return
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self._refuse(status, f"the headers exceed {MAX_HEAD_BYTES} bytes; send fewer")

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            # Its body would be lost: the parser takes what follows for the other protocol.
            head = b"%s %s HTTP/1.1\r\n" % (self.parser.get_method(), self.url)
            kept = [pair for pair in self.headers if pair[0] not in _HOP_BY_HOP]
            self.parser = httptools.HttpRequestParser(self)
            self._upgrades = False
            fields = b"".join(b"%s: %s\r\n" % pair for pair in kept)
            self.parser.feed_data(head + fields + b"\r\n" + data[offer.args[0] :])

    def on_headers_complete(self) -> None:
        """Begin to answer; the body has its own time."""
        self._upgrades = bool(self.parser.should_upgrade())
        if self._upgrades:
            return
        self._in_head = False
        self._expect_within(BODY_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep it for the application."""
        if not self._upgrades:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole: what takes time now is ours."""
        if self._upgrades:
            return
        self._expect_nothing()
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client reads nothing for now."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads on."""
        super().resume_writing()
        self._expect_no_reader()

    def _expect_no_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _make_room(self) -> None:
        idle = [each for each in self.connections if each is not self and _is_idle(each)]
        if idle:
            longest = min(idle, key=lambda each: each._quiet_since)  # noqa: SLF001 - of this class
            longest.transport.close()

    def _expect_within(self, seconds: float) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(seconds, self._too_late)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if self._head_bytes or not self._in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not come to its end in time")
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Say why, unless an answer is under way, and hang up."""
        self._expect_nothing()
        cycle: RequestResponseCycle | None = self.cycle
        answered = cycle is not None and cycle.response_started
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if self._in_head or not answered:
            body = json.dumps({"Message": message}).encode()
            lines = [
                f"HTTP/1.1 {status.value} {status.phrase}",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
                f"{ERROR_HEADER}: ValidationError",
                "Connection: close",
            ]
            self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.close()


def _is_idle(connection: object) -> TypeGuard[LimitedConnection]:
    """Whether nothing is under way on it."""
    if not isinstance(connection, LimitedConnection):
        return False
    cycle: RequestResponseCycle | None = connection.cycle
    return (cycle is None or cycle.response_complete) and not connection._head_bytes  # noqa: SLF001
