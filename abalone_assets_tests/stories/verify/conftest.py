"""A home in which two releases have ended, one for all tests of `abalone verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.stories.finished import finished_home, kept_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform


@pytest.fixture(scope="package")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with finished_home(tmp_path_factory.mktemp("verified")) as platform:
        yield platform


@pytest.fixture
def home(finished: Platform, tmp_path: Path) -> Iterator[Path]:
    """A finished home, whole again after each test."""
    with kept_whole(finished.home, tmp_path, "lake", "registry", "landing_zone"):
        yield finished.home
