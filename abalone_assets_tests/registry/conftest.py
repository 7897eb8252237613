"""A registry of each backing, for every module here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.registry import ModelRegistry


@pytest.fixture(params=["folder", "s3", "model packages"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> ModelRegistry:
    """An empty registry of each backing."""
    if request.param == "folder":
        return FolderRegistry(ObjectStore(tmp_path / "registry"))
    if request.param == "s3":
        return FolderRegistry(ObjectStore(f"{request.getfixturevalue('s3')}/registry"))
    found: ModelRegistry = request.getfixturevalue("account").registry
    return found
