"""An address of the base survey, which may answer with a page instead."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Address:
    """Where the base survey is asked for: a server that answers what it is told to.

    Attributes:
        uri: The address.
        survey: The base survey.
        breaks: Whether it answers a page instead, with status 200.
    """

    uri: str
    survey: bytes
    breaks: bool = False
    page: bytes = field(default=b"<!DOCTYPE html><html><title>Sign in</title></html>")

    @classmethod
    @contextmanager
    def of(cls, survey: bytes) -> Iterator[Self]:
        """Serve a base survey on a free port."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = address.page if address.breaks else address.survey
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            address = cls(f"http://127.0.0.1:{server.server_port}/abalone.data", survey)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield address
            finally:
                server.shutdown()
                thread.join()
