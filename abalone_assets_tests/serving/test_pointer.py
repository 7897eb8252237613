from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import EndpointError, StorageError
from abalone_assets.serving.pointer import publish_pointer, read_pointer, roll_back_pointer
from abalone_assets_tests.serving.support import ENDPOINT

if TYPE_CHECKING:
    from abalone_assets.serving.registry import ModelRegistry


def test_the_pointer_remembers_the_version_before(registry: ModelRegistry) -> None:
    assert read_pointer(registry.store, ENDPOINT) is None

    first = publish_pointer(registry.store, ENDPOINT, 1)
    second = publish_pointer(registry.store, ENDPOINT, 2)

    assert (first.version, first.previous) == (1, None)
    assert (second.version, second.previous) == (2, 1)
    assert read_pointer(registry.store, ENDPOINT) == second


def test_publishing_again_is_a_new_request_for_the_same_version(registry: ModelRegistry) -> None:
    publish_pointer(registry.store, ENDPOINT, 1)
    second = publish_pointer(registry.store, ENDPOINT, 2)
    again = publish_pointer(registry.store, ENDPOINT, 2)

    assert (again.version, again.previous) == (2, 1)
    assert again.requested_at > second.requested_at


def test_rolling_back_restores_the_version_before_or_nothing(registry: ModelRegistry) -> None:
    first = publish_pointer(registry.store, ENDPOINT, 1)
    second = publish_pointer(registry.store, ENDPOINT, 2)

    restored = roll_back_pointer(registry.store, second, second.previous)
    assert restored is not None
    assert (restored.version, restored.previous) == (1, None)
    assert roll_back_pointer(registry.store, first, None) is None
    assert read_pointer(registry.store, ENDPOINT) is None


@pytest.mark.parametrize("fallback", [None, 1])
def test_rolling_back_leaves_another_ones_request_alone(
    registry: ModelRegistry, fallback: int | None
) -> None:
    publish_pointer(registry.store, ENDPOINT, 1)
    failed = publish_pointer(registry.store, ENDPOINT, 2)
    other = publish_pointer(registry.store, ENDPOINT, 3)

    assert roll_back_pointer(registry.store, failed, fallback) == other
    assert read_pointer(registry.store, ENDPOINT) == other


def test_concurrent_publications_form_one_chain(registry: ModelRegistry) -> None:
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda n: publish_pointer(registry.store, ENDPOINT, n), range(1, 13)))
    previous = [pointer.previous for pointer in done]
    assert previous.count(None) == 1
    assert len(set(previous)) == len(done)


def test_a_damaged_pointer_is_named(registry: ModelRegistry) -> None:
    registry.store.write(f"endpoints/{ENDPOINT}.json", b'{"version": 1}')
    with pytest.raises(StorageError, match="not an endpoint pointer"):
        read_pointer(registry.store, ENDPOINT)


@pytest.mark.parametrize("name", ["", "../other", "a/b", "-a", "a" * 64, "a b", "ä"])
def test_a_name_that_sagemaker_would_refuse_is_refused(registry: ModelRegistry, name: str) -> None:
    with pytest.raises(EndpointError, match="is no endpoint name"):
        publish_pointer(registry.store, name, 1)
