"""Models of different frameworks replace each other behind one endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.serving.pointer import publish_pointer
from abalone_assets_tests.modeling.support import packed, quick_blend, quick_network
from abalone_assets_tests.serving.support import (
    BODY,
    ENDPOINT,
    local_prediction,
    register,
    running_server,
)

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry


def test_the_endpoint_swaps_from_a_network_to_a_blend_and_back(
    registry: FolderRegistry, tmp_path: Path
) -> None:
    network = packed(quick_network(), tmp_path / "network").read_bytes()
    blend = packed(quick_blend(), tmp_path / "blend").read_bytes()
    expected = {1: local_prediction(network), 2: local_prediction(blend)}
    assert expected[1] != expected[2]
    for archive in (network, blend):
        register(registry, archive)
    publish_pointer(registry.store, ENDPOINT, 1)
    with running_server(registry) as running:
        for version in (1, 2, 1):
            publish_pointer(registry.store, ENDPOINT, version)
            running.wait_for_version(version)
            answer = running.client.invoke(BODY)
            assert answer.version == version
            assert answer.rings == pytest.approx(expected[version], abs=1e-9)
            assert (answer.intervals is None) == (version == 1)
