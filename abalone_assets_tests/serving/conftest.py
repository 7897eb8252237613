from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.serving.support import new_registry, tiny_archive

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry


@pytest.fixture(scope="session")
def archives() -> list[bytes]:
    """Three real model archives that predict differently."""
    return [tiny_archive(seed) for seed in (1, 2, 3)]


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return new_registry(tmp_path)
