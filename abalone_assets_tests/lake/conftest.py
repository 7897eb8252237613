"""A lake in a folder, and its catalog in a DuckDB file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.lake.lake import Lake
from abalone_assets_tests.lake.catalog_support import catalog_of

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.resources.catalog import DuckDBCatalog


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog" / "catalog.duckdb"


@pytest.fixture
def catalog(lake: Lake, file: Path) -> DuckDBCatalog:
    return catalog_of(lake.store.uri, file)
