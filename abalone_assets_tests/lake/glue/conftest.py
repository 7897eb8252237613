"""A lake on S3, and its catalog in Glue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.lake.glue.support import catalog_of, lake_on

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.resources.catalog import GlueCatalog
    from abalone_assets_tests.fakes.standin import AwsStandIn


@pytest.fixture
def lake(aws: AwsStandIn) -> Lake:
    return lake_on(aws)


@pytest.fixture
def catalog(lake: Lake) -> GlueCatalog:
    return catalog_of(lake)
