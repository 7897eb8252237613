"""Releases of made-up models, for every module here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets_tests.defs.releases import Releases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def releases(home: Path) -> Iterator[Releases]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Releases(home, instance)
