"""One moto server for all tests of a process, and the gate that each of its requests passes."""

from __future__ import annotations

import io
import threading
import traceback
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, Self

import pytest
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.exceptions import S3ClientError
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from abalone_assets_tests.fakes.quick_requests import answer_quickly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Gate = Callable[[Any, str], None]

UNLOCKED: Final = ("AmazonSQS.ReceiveMessage",)
"""Targets of requests that may wait for something, so nothing may wait for them."""


class RefusedRequestError(S3ClientError):
    """A request that AWS refuses; S3's kind of error, because moto tells any service's so."""


class OneRequestAtATime:
    """Makes moto's conditional writes atomic, as S3's are: moto checks first, then writes."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self.lock = threading.RLock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with nullcontext() if _may_wait(environ) else self.lock:
            return list(self.application(environ, start_response))


def _may_wait(environ: dict[str, Any]) -> bool:
    invocation = str(environ.get("PATH_INFO", "")).endswith("/invocations")
    return invocation or environ.get("HTTP_X_AMZ_TARGET") in UNLOCKED


class QuietHandler(MotoRequestHandler):
    """Answers one request after the other of a connection, and says nothing of it.

    Werkzeug's own closes each connection after its first answer and waits for the client to notice:
    a new connection and a new thread were half of what a request costs.
    """

    timeout = 30.0  # then a connection that nobody uses is closed, and its thread ends
    wbufsize = -1  # an answer's head and body are one packet
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer a request."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        environ = self.make_environ()
        in_chunks = "wsgi.input_terminated" in environ
        length = -1 if in_chunks else int(self.headers.get("Content-Length", 0))
        # What is left of it would be taken for the next request.
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        try:
            parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        except Exception:  # noqa: BLE001 - a server's answer to whatever went wrong
            self.log("error", f"Error on request:\n{traceback.format_exc()}")
            self.send_error(500)
            return
        code, _, reason = status.partition(" ")
        body = b"".join(parts)
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if "Content-Length" not in headers and int(code) not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_request(self, *arguments: Any) -> None:
        """Leave the log to what a test is about."""

    def log_error(self, *arguments: Any) -> None:
        """Nor tell of clients that went away."""


class MotoServer:
    """A moto server on a port of its own, as long as the context is open.

    Attributes:
        lock: Held while a request is answered; take it to touch moto's state directly.
        gate: Called with moto's response object and the resource's ARN (or ``*``) before any
            request is answered, where AWS would check permissions; may raise `RefusedRequestError`.
    """

    def __init__(self) -> None:
        application = OneRequestAtATime(DomainDispatcherApplication(create_backend_app))
        self.lock = application.lock
        self.gate: Gate = _open_gate
        self._server = make_server(
            "127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._patches = pytest.MonkeyPatch()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._install_gate()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._patches.undo()

    def reset(self) -> None:
        """Forget every resource of every service."""
        from moto.moto_api._internal.models import moto_api_backend

        with self.lock:
            moto_api_backend.reset()

    def _install_gate(self) -> None:
        answer = BaseResponse.call_action

        def authorize(response: Any, _: type, resource: str = "*") -> None:
            self.gate(response, resource)

        def call_action(response: Any) -> Any:
            try:
                return answer(response)
            except ServiceException as error:
                return response.serialized(ActionResult(error))

        self._patches.setattr(
            ActionAuthenticatorMixin, "_authenticate_and_authorize_action", authorize
        )
        self._patches.setattr(BaseResponse, "call_action", call_action)
        answer_quickly(self._patches)
        # moto warns of errors that a service's model does not list; AWS has many of those.
        self._patches.setattr("moto.core.errors.warn", lambda *_, **__: None)


def _open_gate(response: Any, resource: str) -> None:
    """Let every request through."""
