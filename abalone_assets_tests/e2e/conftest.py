"""One running platform for all end-to-end tests of a worker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.support.platform import small_base
from abalone_assets_tests.support.stack import Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """``abalone dev`` with sensors at 2 s, on the bundled surveys, after its first release."""
    from abalone_assets.sample_data import surveys

    folder = tmp_path_factory.mktemp("stack")
    environ = {
        **{f"ABALONE_{name}": value for name, value in small_base(folder).items()},
        "ABALONE_SENSOR_SECONDS": "2",
        "ABALONE_GATE_CHAMPION_TOLERANCE": "10",  # made-up rows make no better model
        "ABALONE_GATE_SLICE_TOLERANCE": "10",
    }
    assert not [name for name in os.environ if name.startswith("ABALONE_LAKE")]
    with running_stack(folder / "home", environ) as stack:
        for survey in surveys():
            stack.land(survey.name, survey.read_bytes())
        stack.await_release()
        yield stack
