"""A home with versions, and servers that are none."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from abalone_assets.lake.reports import Reports
from abalone_assets.registry.open import open_registry
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.registry.versions import ModelVersion

REPORT = "<figure>\n<h3>By sex &amp; age</h3>\n<svg role='img'><path/></svg>\n</figure>"


def register(archive: bytes, digest: str, *, approved: bool = True, **more: Any) -> ModelVersion:
    """A version whose model's file has a digest of one digit, over and over."""
    return open_registry(load_settings()).register(
        archive,
        evaluation={"rmse": 2.125, "r2": None, "rows": 209, "model_sha256": 64 * digest, **more},
        decision={"approved": approved, "reason": f"Said of {digest}.", "rule": "first_model"},
        release_digest=f"release {digest}",
    )


def report_on(digest: str) -> None:
    Reports(ObjectStore(load_settings().lake_uri)).keep(64 * digest, REPORT.encode())


def go_live(version: int) -> None:
    settings = load_settings()
    publish_pointer(ObjectStore(settings.registry_uri), settings.endpoint_name, version)


@contextmanager
def silent_server() -> Iterator[str]:
    """The address of what takes connections and sends a byte now and then, but never an answer."""
    ends, taken = threading.Event(), []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def drip() -> None:
            while not ends.wait(0.2):
                try:
                    taken.append(server.accept()[0])
                    taken[-1].sendall(b"HTTP/1.1 200 OK\r\n")
                except TimeoutError:
                    pass
                for each in taken:
                    each.sendall(b"X-Wait: 1\r\n")

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ends.set()
        thread.join()
        for each in taken:
            each.close()
