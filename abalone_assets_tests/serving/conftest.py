from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from abalone_assets.serving import model_host
from abalone_assets.serving.model_host import load_model
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets_tests.serving.support import (
    DEADLINE_SECONDS,
    ENDPOINT,
    RunningServer,
    new_registry,
    register,
    running_server,
    tiny_archive,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry
    from abalone_assets.serving.model_host import ServedModel


@pytest.fixture(scope="session")
def archives() -> list[bytes]:
    """Three real model archives that predict differently."""
    return [tiny_archive(seed) for seed in (1, 2, 3)]


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return new_registry(tmp_path)


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    """Where the server of the registry says its address."""
    path = tmp_path / "endpoint" / "server.json"
    path.parent.mkdir(exist_ok=True)
    return path


@pytest.fixture
def live(archives: list[bytes], registry: FolderRegistry) -> Iterator[RunningServer]:
    """A server of version 1, with versions 2 and 3 registered."""
    for archive in archives:
        register(registry, archive)
    publish_pointer(registry.store, ENDPOINT, 1)
    with running_server(registry) as running:
        running.wait_for_version(1)
        yield running


@pytest.fixture
def blocked_loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Loads that wait for the event."""
    go_on = threading.Event()

    def slow_load(registry: FolderRegistry, version: int) -> ServedModel:
        assert go_on.wait(DEADLINE_SECONDS)
        return load_model(registry, version)

    monkeypatch.setattr(model_host, "load_model", slow_load)
    yield go_on
    go_on.set()
