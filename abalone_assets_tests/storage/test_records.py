"""Stored documents of a later release: what it added to a format keeps nobody from reading it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.base_survey import REFUSAL_KEY, Refusal, last_refusal
from abalone_assets.ingest.synthetic_files import (
    LEDGER_KEY,
    SyntheticFile,
    record_synthetic_file,
    synthetic_files,
)
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.lease import LEASE_KEY, HeldLease, read_lease
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, IngestedRaw
from abalone_assets.lake.manifest_store import MANIFEST_KEY, commit_days, commit_raw
from abalone_assets.lake.preparation import PREPARATION_KEY, Preparation
from abalone_assets.lake.releases import BEGUN_KEY, RELEASE_KEY, Release
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer, read_pointer
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = IngestedDay("digest", (IngestedFile("abalone.20250303120000", 9, "tag", "sha", 1, 0),))
RAW = IngestedRaw("digest", "file:///abalone.data", simulated=False, rows=9, quarantined=0)
SIMULATED = SyntheticFile("abalone.20250304120000", 1, "copula", 1, "version")
RELEASE = Release("digest", "rejected", "too bad", None, "run", "2025-03-14T07:00:00")


def write_manifest(store: ObjectStore) -> None:
    commit_raw(store, RAW)
    commit_days(store, {"2025-03-03": DAY})


def write_version(store: ObjectStore) -> None:
    registry = FolderRegistry(store)
    registry.register(b"archive", evaluation={}, decision={}, release_digest="d")
    registry.reject(1, because="no", by="ana")


def hold_and_free(store: ObjectStore) -> None:
    lease = HeldLease(store, "run")
    lease.acquire(print)
    lease.free()


DOCUMENTS: dict[str, tuple[Callable[[ObjectStore], object], Callable[[ObjectStore], Any]]] = {
    MANIFEST_KEY: (write_manifest, lambda store: Lake(store.uri).manifest()),
    RELEASE_KEY: (
        lambda store: Lake(store.uri).record_release(RELEASE),
        lambda store: Lake(store.uri).release(),
    ),
    BEGUN_KEY: (
        lambda store: Lake(store.uri).begin_release("digest", "run"),
        lambda store: Lake(store.uri).begun_release(),
    ),
    LEASE_KEY: (hold_and_free, read_lease),
    PREPARATION_KEY: (
        lambda store: Lake(store.uri).record_preparation(Preparation("digest", 9, 9, 0)),
        lambda store: Lake(store.uri).preparation(),
    ),
    REFUSAL_KEY: (
        lambda store: store.write_json(REFUSAL_KEY, asdict(Refusal("uri", "a page", "2025"))),
        last_refusal,
    ),
    LEDGER_KEY: (
        lambda store: record_synthetic_file(store, "0" * 64, SIMULATED),
        synthetic_files,
    ),
    "endpoints/abalone.json": (
        lambda store: publish_pointer(store, "abalone", 1),
        lambda store: read_pointer(store, "abalone"),
    ),
    "versions/000001/version.json": (write_version, lambda store: FolderRegistry(store).get(1)),
    "versions/000001/overrides.json": (write_version, lambda store: FolderRegistry(store).get(1)),
}


def with_more(document: Any) -> Any:
    """The document with another field in each of its records."""
    if isinstance(document, list):
        return [with_more(each) for each in document]
    if not isinstance(document, dict):
        return document
    grown = {name: with_more(value) for name, value in document.items()}
    keyed = all(isinstance(value, dict) for value in document.values())  # by day, or anything
    return grown if keyed else grown | {"of_a_later_release": {"any": ["thing"]}}


@pytest.mark.parametrize("key", DOCUMENTS)
def test_fields_of_a_later_release_are_left_out(tmp_path: Path, key: str) -> None:
    write, read = DOCUMENTS[key]
    store = ObjectStore(tmp_path)
    write(store)
    known = read(store)
    document = store.read_json(key)
    store.write_json(key, with_more(document))
    assert "of_a_later_release" in json.dumps(store.read_json(key))
    assert read(store) == known


def test_a_damaged_version_says_what_to_do(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    write_version(store)
    store.write_json("versions/000001/version.json", {"version": 1})
    with pytest.raises(StorageError, match=r"launch the job `release` in the UI of `abalone dev`"):
        FolderRegistry(store).get(1)
