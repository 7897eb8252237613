"""What is particular to versions in a folder: their layout, and whom they are shared with."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.overrides import Override
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.serving.support import new_registry, register

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return new_registry(tmp_path)


def test_versions_survive_a_new_process(tmp_path: Path, registry: FolderRegistry) -> None:
    first = register(registry, b"one")
    assert first.model_key == "versions/000001/model.tar.gz"
    assert FolderRegistry(ObjectStore(tmp_path / "registry")).latest() == first


def test_documents_of_earlier_revisions_are_read(registry: FolderRegistry) -> None:
    registry.store.write_json(
        "versions/000004/version.json",
        {
            "version": 4,
            "archive_sha256": "ab",
            "created_at": "2025-03-01T00:00:00+00:00",
            "evaluation": {"rmse": 2.1},
            "decision": {"approved": False, "reason": "too few rows"},
            "release_digest": "r1",
            "model_key": "versions/000004/model.tar.gz",
        },
    )
    known = registry.get(4)
    assert (known.evaluation, known.reason, known.overrides) == ({"rmse": 2.1}, "too few rows", ())
    decision: Any = {
        "approved": True,
        "because": "checked",
        "by": "ana",
        "at": "2025-03-02T00:00:00+00:00",
    }
    registry.store.write_json("versions/000004/overrides.json", [decision])
    assert registry.get(4).overrides == (Override(**decision),)


@pytest.mark.parametrize(
    "lost", ["versions/000002", "versions/000002/model.tar.gz", "versions", "last_version.json"]
)
def test_a_number_is_never_given_twice_whatever_is_lost(
    registry: FolderRegistry, lost: str
) -> None:
    for name in (b"one", b"two"):
        register(registry, name)
    assert registry.store.root is not None
    path = registry.store.root / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert register(registry, b"three").version == 3
    assert registry.read_model(3) == b"three"


def test_a_record_that_was_deleted_does_not_lower_the_bar(registry: FolderRegistry) -> None:
    rules = ("first_model", "better_than_champion", *["holds_against_champion"] * 2)
    for number, rule in enumerate(rules):
        registry.register(
            b"a model",
            evaluation={"champion": {"version": str(number)} if number else None},
            decision={"approved": True, "rule": rule},
            release_digest="r1",
        )
    registry.store.delete("versions/000003/version.json")
    assert registry.reference_version(4) == 2
    registry.store.delete("versions/000002/version.json")
    assert registry.reference_version(4) == 1


@pytest.mark.parametrize(
    "stray",
    [
        ".DS_Store",
        "000001/deep/version.json",
        "000002.bak/version.json",
        "1/model.tar.gz",
        "000007/overrides.json",
    ],
)
def test_objects_that_are_no_versions_are_skipped(registry: FolderRegistry, stray: str) -> None:
    first = register(registry, b"one")
    registry.store.write(f"versions/{stray}", b"put there by a file manager")

    assert registry.versions() == [first]
    assert register(registry, b"two").version == 2


def test_concurrent_registrations_get_different_numbers(registry: FolderRegistry) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: register(registry, b"model %d" % n), range(24)))

    assert sorted(entry.version for entry in done) == list(range(1, 25))
    for entry in done:
        assert registry.get(entry.version) == entry
        registry.read_model(entry.version)


def test_a_half_written_version_does_not_exist_and_its_number_is_not_used_again(
    registry: FolderRegistry,
) -> None:
    first = register(registry, b"one")
    registry.store.write("versions/000002/model.tar.gz", b"the writer died after this")

    assert registry.latest() == first
    with pytest.raises(StorageError, match=r"no model version 2; registered versions: 1$"):
        registry.get(2)
    assert register(registry, b"two").version == 3


def test_a_listing_in_which_versions_pass_a_million_stays_in_order(
    registry: FolderRegistry,
) -> None:
    registry.store.write("versions/999999/model.tar.gz", b"")
    assert register(registry, b"one").version == 1_000_000
    assert register(registry, b"two").version == 1_000_001
    assert [entry.version for entry in registry.versions()] == [1_000_000, 1_000_001]
