"""Servers that take messages as those of real services do."""

from __future__ import annotations

import json
from asyncio import Server
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


@dataclass
class Mailbox:
    """What an SMTP server has taken.

    Attributes:
        url: The server and a sender as a URL of Apprise's.
    """

    url: str = ""
    messages: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        message: Any = message_from_bytes(envelope.content, policy=policy.default)
        self.messages.append(message)
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for message in self.messages]

    def last_text(self) -> str:
        """The newest message as a mail program shows it where it shows HTML."""
        return text_of(self.messages[-1])


def text_of(message: EmailMessage) -> str:
    """A message as a mail program shows it where it shows HTML."""
    body = message.get_body(preferencelist=("html", "plain"))
    assert body is not None
    return str(body.get_content())


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """Greet the server at the port that it got."""
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """An SMTP server on a free port."""
    box = Mailbox()
    controller = _Controller(box, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        box.url = (
            f"mailto://127.0.0.1:{controller.port}?from=abalone@example.com&to=crew@example.com"
        )
        yield box
    finally:
        controller.stop()


@dataclass
class Webhook:
    """What a server was posted; it refuses while `broken`."""

    url: str = ""
    posted: list[dict[str, Any]] = field(default_factory=list)
    broken: bool = False


@contextmanager
def webhook() -> Iterator[Webhook]:
    """An HTTP server on a free port that takes JSON."""
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posted.append(json.loads(body))
            self.send_response(500 if hook.broken else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        hook.url = f"json://127.0.0.1:{server.server_address[1]}/"
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
