"""One running platform for all stories about ``abalone dev``."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from abalone_assets.sample_data import surveys
from abalone_assets_tests.support.platform import small_base
from abalone_assets_tests.support.quick_daemon import quick_daemon
from abalone_assets_tests.support.stack import Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """``abalone dev`` with sensors at 2 s, after a first `abalone release` without it.

    Each day that lands is a run, so a process: those of one day do, unless pictures are taken.
    """
    folder = tmp_path_factory.mktemp("stack")
    environ = {
        **{f"ABALONE_{name}": value for name, value in small_base(folder).items()},
        **quick_daemon(),
        "ABALONE_SENSOR_SECONDS": "2",
        "ABALONE_GATE_CHAMPION_TOLERANCE": "10",  # made-up rows make no better model
        "ABALONE_GATE_SLICE_TOLERANCE": "10",
    }
    assert not [name for name in os.environ if name.startswith("ABALONE_LAKE")]
    shown = surveys() if os.environ.get("ABALONE_TEST_UPDATE_IMAGES") else surveys()[2:4]
    landing_zone = folder / "home" / "landing_zone"
    landing_zone.mkdir(parents=True)
    for survey in shown:
        shutil.copy(survey, landing_zone)
    with running_stack(folder / "home", environ, released=True) as stack:
        stack.await_release()
        yield stack
