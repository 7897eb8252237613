from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import EndpointError, StorageError
from abalone_assets.serving.pointer import (
    EndpointPointer,
    pointer_key,
    publish_pointer,
    read_pointer,
    roll_back_pointer,
)
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.serving.support import DEADLINE_SECONDS, ENDPOINT

if TYPE_CHECKING:
    from abalone_assets.registry.folder import FolderRegistry


def test_the_pointer_remembers_the_version_before(registry: FolderRegistry) -> None:
    assert read_pointer(registry.store, ENDPOINT) is None

    first = publish_pointer(registry.store, ENDPOINT, 1)
    second = publish_pointer(registry.store, ENDPOINT, 2)

    assert (first.version, first.previous) == (1, None)
    assert (second.version, second.previous) == (2, 1)
    assert read_pointer(registry.store, ENDPOINT) == second

    # The same version again is a new request.
    again = publish_pointer(registry.store, ENDPOINT, 2)

    assert (again.version, again.previous) == (2, 1)
    assert again.requested_at > second.requested_at


def test_rolling_back_restores_the_version_before_or_nothing(registry: FolderRegistry) -> None:
    publish_pointer(registry.store, ENDPOINT, 1)
    second = publish_pointer(registry.store, ENDPOINT, 2)

    restored = roll_back_pointer(registry.store, second, second.previous)
    assert restored is not None
    assert (restored.version, restored.previous) == (1, None)
    assert roll_back_pointer(registry.store, restored, None) is None
    assert read_pointer(registry.store, ENDPOINT) is None
    assert publish_pointer(registry.store, ENDPOINT, 2).previous is None


@pytest.mark.parametrize("fallback", [None, 1])
@pytest.mark.parametrize("other_version", [2, 3], ids=["same version", "another version"])
def test_rolling_back_leaves_another_ones_request_alone(
    registry: FolderRegistry, fallback: int | None, other_version: int
) -> None:
    publish_pointer(registry.store, ENDPOINT, 1)
    failed = publish_pointer(registry.store, ENDPOINT, 2)
    other = publish_pointer(registry.store, ENDPOINT, other_version)

    assert roll_back_pointer(registry.store, failed, fallback) == other
    assert read_pointer(registry.store, ENDPOINT) == other


def test_a_pointer_that_is_gone_stays_gone_when_a_request_is_taken_back(
    registry: FolderRegistry,
) -> None:
    failed = publish_pointer(registry.store, ENDPOINT, 2)
    registry.store.delete(pointer_key(ENDPOINT))
    assert roll_back_pointer(registry.store, failed, 1) is None


def test_a_version_published_while_another_is_taken_back_is_not_lost(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = publish_pointer(registry.store, ENDPOINT, 1)
    other_store = ObjectStore(registry.store.uri)
    intruder = threading.Thread(target=publish_pointer, args=(other_store, ENDPOINT, 3))
    read_json = registry.store.read_json

    def read_and_be_overtaken(key: str) -> Any:
        document = read_json(key)
        if intruder.ident is None:
            intruder.start()
            intruder.join(0.2)  # a lock makes it wait for longer
        return document

    with monkeypatch.context() as patched:
        patched.setattr(registry.store, "read_json", read_and_be_overtaken)
        roll_back_pointer(registry.store, failed, None)
    intruder.join(DEADLINE_SECONDS)
    pointer = read_pointer(registry.store, ENDPOINT)
    assert pointer is not None
    assert pointer.version == 3


def test_concurrent_publications_form_one_chain(registry: FolderRegistry) -> None:
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda n: publish_pointer(registry.store, ENDPOINT, n), range(1, 13)))
    previous = [pointer.previous for pointer in done]
    assert previous.count(None) == 1
    assert len(set(previous)) == len(done)


def test_pointers_of_earlier_revisions_are_read(registry: FolderRegistry) -> None:
    key, at = pointer_key(ENDPOINT), "2025-03-01T00:00:00+00:00"
    document = {"endpoint": ENDPOINT, "version": 2, "previous": 1, "requested_at": at}
    registry.store.write_json(key, document)
    assert read_pointer(registry.store, ENDPOINT) == EndpointPointer(ENDPOINT, 2, 1, at)
    registry.store.write_json(key, {**document, "version": None, "previous": None})
    assert read_pointer(registry.store, ENDPOINT) is None


def test_a_damaged_pointer_is_named(registry: FolderRegistry) -> None:
    registry.store.write(f"endpoints/{ENDPOINT}.json", b'{"version": 1}')
    with pytest.raises(
        StorageError, match=rf"{ENDPOINT}\.json: .*: field required; delete it and deploy"
    ):
        read_pointer(registry.store, ENDPOINT)


@pytest.mark.parametrize("name", ["", "../other", "a/b", "-a", "a" * 64, "a b", "ä"])
def test_a_name_that_sagemaker_would_refuse_is_refused(registry: FolderRegistry, name: str) -> None:
    with pytest.raises(EndpointError, match="is no endpoint name"):
        publish_pointer(registry.store, name, 1)
