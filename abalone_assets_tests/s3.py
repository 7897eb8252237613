"""An S3 server in this process (moto), for modules that name this one in ``pytest_plugins``."""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BUCKET = "abalone-tests"
_numbers = count()


class OneRequestAtATime:
    """Makes moto's conditional writes atomic, as S3's are: moto checks first, then writes."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self.lock:
            return list(self.application(environ, start_response))


class QuietHandler(WSGIRequestHandler):
    def log_request(self, *arguments: Any) -> None:
        """Leave the log to what a test is about."""


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The server's URL."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application = OneRequestAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty ``s3://`` prefix of the test's own, and an environment that leads to it."""
    import requests

    for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    requests.put(f"{s3_server}/{BUCKET}", timeout=10).raise_for_status()
    return f"s3://{BUCKET}/{next(_numbers)}"
