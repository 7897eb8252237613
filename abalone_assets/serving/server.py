"""Runs an endpoint: binds the port, says where it is, stops cleanly."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import EndpointError
from abalone_assets.lake.holder import machine
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.last_drift import LastDrift
from abalone_assets.lake.reports import Reports
from abalone_assets.pages.drift.page import Drift
from abalone_assets.pages.guarded_page import GuardedPage
from abalone_assets.pages.models.page import Models
from abalone_assets.pages.report_list import ReportList
from abalone_assets.pages.surveys.page import Surveys
from abalone_assets.pages.surveys.upload_access import UploadAccess
from abalone_assets.pages.surveys.uploads import Uploads
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.app import build_app
from abalone_assets.serving.capture import DEFAULT_FLUSH_SECONDS, DataCapture
from abalone_assets.serving.model_host import DEFAULT_POLL_SECONDS, ModelHost
from abalone_assets.serving.pointer import read_pointer
from abalone_assets.serving.state import ServerState, family_of, remove_state, write_state
from abalone_assets.settings.logs import log_as_json
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import uvicorn

    from abalone_assets.pages.site import Page
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.settings.platform import Settings

STOP_TIMEOUT_SECONDS: Final = 10

SWITCH_SECONDS: Final = 0.0005
"""After which a thread that works on a page gives way to a request: ten times sooner than Python
would, at whose 5 ms a row waits for 7 ms while an upload is checked."""

_LISTEN_BACKLOG: Final = 1024


class EndpointServer:
    """The server of one endpoint, for this process or a thread of it.

    Args:
        port: Port to listen on; 0 picks a free one.
        capture_store: Where answered requests are captured, or None.
        state_file: Where clients find the server, or None.
        pages: What people may open in a browser.
        drift: The last drift report, for whoever scrapes numbers, or None.
        reports: The reports that ``pages`` show, or None.
        poll_seconds: How often the pointer is looked at.
        flush_seconds: How long a captured request may wait to be written.

    Raises:
        EndpointError: The endpoint's name is malformed.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        endpoint: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        capture_store: ObjectStore | None = None,
        state_file: Path | None = None,
        pages: Sequence[Page] = (),
        drift: LastDrift | None = None,
        reports: Reports | None = None,
        poll_seconds: float = DEFAULT_POLL_SECONDS,
        flush_seconds: float = DEFAULT_FLUSH_SECONDS,
    ) -> None:
        self._endpoint = endpoint
        self._address = (host, port)
        self._state_file = state_file
        self._pages = pages
        self._drift = drift
        self._reports = reports
        self._models = ModelHost(registry, endpoint, poll_seconds=poll_seconds)
        self._capture = (
            None
            if capture_store is None
            else DataCapture(capture_store, endpoint, flush_seconds=flush_seconds)
        )
        self._uvicorn = self._build()

    def run(self, on_ready: Callable[[ServerState], None] | None = None) -> None:
        """Serve until ``stop``, Ctrl-C or SIGTERM; requests in flight are answered first.

        Raises:
            EndpointError: The port is taken, the address is not this machine's, or the state file
                cannot be written.
        """
        with ExitStack() as stack:
            listener = stack.enter_context(closing(_listen(*self._address)))
            stack.enter_context(_stopping_on_signals(self.stop))
            if self._capture is not None:
                stack.enter_context(self._capture)
            stack.enter_context(self._models)
            state = self._state(listener)
            stack.enter_context(_announced(self._state_file, state))
            if on_ready is not None:
                on_ready(state)
            self._uvicorn.run(sockets=[listener])

    def stop(self) -> None:
        """Ask the server to finish its requests and end; safe from any thread."""
        self._uvicorn.should_exit = True

    def _build(self) -> uvicorn.Server:
        import uvicorn

        from abalone_assets.serving.connections import LimitedConnection

        config = uvicorn.Config(
            build_app(self._models, self._capture, self._pages, self._drift, self._reports),
            access_log=False,
            http=LimitedConnection,
            lifespan="off",
            log_config=None,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=STOP_TIMEOUT_SECONDS,
            ws="none",
        )
        return uvicorn.Server(config)

    def _state(self, listener: socket.socket) -> ServerState:
        host, port = listener.getsockname()[:2]
        netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return ServerState(
            url=f"http://{netloc}",
            pid=os.getpid(),
            endpoint=self._endpoint,
            started_at=datetime.now(UTC).isoformat(),
            machine=machine(),
        )


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    on_ready: Callable[[ServerState], None] | None = None,
) -> None:
    """Serve the settings' endpoint from this process until Ctrl-C or SIGTERM; port 0 is a free one.

    Raises:
        EndpointError: The name is malformed, the port is taken or the state file cannot be written.
        StorageError: The registry, the lake or the capture folder cannot be opened.
    """
    if settings.log_format == "json":
        log_as_json()
    sys.setswitchinterval(SWITCH_SECONDS)
    registry = FolderRegistry(ObjectStore(settings.registry_uri))
    lake = Lake(settings.lake_uri)
    EndpointServer(
        registry,
        settings.endpoint_name,
        host=host,
        port=port,
        capture_store=ObjectStore(settings.capture_folder),
        state_file=settings.endpoint_state_file,
        pages=pages_of(settings, registry, host),
        drift=LastDrift(lake),
        reports=Reports(lake.store),
    ).run(on_ready)


def pages_of(settings: Settings, registry: ModelRegistry, host: str) -> list[Page]:
    """What people open in a browser, in the order of the navigation.

    Args:
        settings: Of the home.
        registry: Its versions.
        host: The address that the server listens on.
    """
    access = UploadAccess(host, settings.upload_token.get_secret_value())

    def deployed() -> int | None:
        return _deployed(settings, registry)

    pages: list[Page] = [
        Models(registry, settings.lake_uri, deployed),
        ReportList(Reports(ObjectStore(settings.lake_uri)), registry, deployed),
        Drift(LastDrift(Lake(settings.lake_uri))),
    ]
    if _has_landing_zone(settings):
        pages.insert(0, Surveys(settings, registry, Uploads(settings, access)))
    return [GuardedPage(page, access) for page in pages]


def _deployed(settings: Settings, registry: ModelRegistry) -> int | None:
    pointer = read_pointer(registry.store, settings.endpoint_name)
    return None if pointer is None else pointer.version


def _has_landing_zone(settings: Settings) -> bool:
    """Whether surveys land where this server can see them: a container may have a registry only.

    One that the user chose may be away, such as a share that is mounted later: its pages say so.
    """
    own = settings.home / "landing_zone"
    if settings.landing_zone_uri != str(own):
        return True
    try:
        return own.is_dir()
    except OSError:  # it is not for us to see
        return True


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket: from here on a client's connection waits instead of being refused."""
    try:
        return socket.create_server((host, port), family=family_of(host), backlog=_LISTEN_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EndpointError(
                f"port {port} on {host} is already in use; stop the program that uses it"
                " or choose another port (0 picks a free one)"
            ) from error
        raise EndpointError(f"cannot listen on port {port} of {host}: {error}") from error


@contextmanager
def _announced(state_file: Path | None, state: ServerState) -> Iterator[None]:
    if state_file is None:
        yield
        return
    write_state(state_file, state)
    try:
        yield
    finally:
        remove_state(state_file, state)


@contextmanager
def _stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the server and not the process.

    Uvicorn raises a captured signal once more after its shutdown: that must find this handler,
    or the process would end with an error.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
