from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.serving.pointer import publish_pointer
from abalone_assets_tests.serving.support import (
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
    return tmp_path / "server.json"


@pytest.fixture
def live(archives: list[bytes], registry: FolderRegistry) -> Iterator[RunningServer]:
    """A server of version 1, with versions 2 and 3 registered."""
    for archive in archives:
        register(registry, archive)
    publish_pointer(registry.store, ENDPOINT, 1)
    with running_server(registry) as running:
        running.wait_for_version(1)
        yield running
