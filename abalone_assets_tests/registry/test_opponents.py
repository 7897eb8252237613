"""What the next model is held against, also when what is live was lost."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.registry.opponents import Opponents, opponents_of_next
from abalone_assets_tests.registry.support import add
from abalone_assets_tests.serving.support import new_registry

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    """Version 1 is the reference of version 2."""
    registry = new_registry(tmp_path)
    add(registry, "a", rule="first_model")
    add(registry, "b", rule="holds_against_champion", champion={"version": "1"})
    return registry


def opponents(live: int | None, registry: FolderRegistry) -> Opponents:
    return opponents_of_next(live, registry.candidates(), registry)


def lose(registry: FolderRegistry, version: int) -> None:
    assert registry.store.root is not None
    shutil.rmtree(registry.store.root / f"versions/{version:06d}")


def test_it_is_the_live_version_and_its_reference_each_once(registry: FolderRegistry) -> None:
    assert opponents(2, registry) == Opponents(2, 1)
    assert opponents(2, registry).by_role == {"champion": 2, "reference": 1}
    assert opponents(1, registry).by_role == {"champion": 1}
    assert opponents(None, registry).by_role == {}


def test_without_its_record_it_is_the_last_version_that_is_approved(
    registry: FolderRegistry,
) -> None:
    lose(registry, 2)
    found = opponents(2, registry)
    assert (found.champion, found.reference) == (1, 1)
    assert "version 2, which is live, is gone: the champion is version 1" in found.warning


def test_without_any_record_there_is_none(registry: FolderRegistry) -> None:
    for version in (1, 2):
        lose(registry, version)
    found = opponents(2, registry)
    assert found.by_role == {}
    assert "is gone: the model is judged by its own numbers alone" in found.warning


@pytest.mark.parametrize("version", [1, 2])
def test_without_an_archive_a_person_decides(registry: FolderRegistry, version: int) -> None:
    registry.remove_archive(version)
    with pytest.raises(StorageError, match=f"version {version} is gone.*approve another version"):
        opponents(2, registry)
    other = 3 - version
    registry.approve(other, because="the other is lost", by="ana")
    assert opponents(2, registry) == Opponents(other, other)


def test_an_archive_that_was_altered_is_none(registry: FolderRegistry) -> None:
    registry.store.write(registry.get(2).model_key, b"other bytes")
    with pytest.raises(ModelArchiveError, match="delete it and approve another version"):
        opponents(2, registry)
