"""The crawler of the landing zone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.aws.clients import client
from abalone_assets.aws.failures import AwsError
from abalone_assets.lake.glue_tables import start_crawler
from abalone_assets_tests.aws.support import calls_of
from abalone_assets_tests.lake.glue.support import CRAWLER, put

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.resources.catalog import GlueCatalog
    from abalone_assets_tests.fakes.standin import AwsStandIn


class TestTheCrawler:
    def test_starts_with_the_first_refresh_and_not_again_within_its_interval(
        self, aws: AwsStandIn, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "merged_dataset")
        catalog.refresh()
        catalog.refresh()
        assert len(calls_of(aws, "StartCrawler")) == 1

    def test_starts_again_after_its_interval(
        self, aws: AwsStandIn, lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert start_crawler(CRAWLER, interval=timedelta(hours=24))
        _end_crawl()
        assert not start_crawler(CRAWLER, interval=timedelta(hours=24))
        assert start_crawler(CRAWLER, interval=timedelta(0))

    def test_that_runs_is_left_alone(self, lake: Lake) -> None:
        client("glue").start_crawler(Name=CRAWLER)
        assert not start_crawler(CRAWLER, interval=timedelta(0))

    def test_that_another_run_starts_at_the_same_moment_is_no_error(
        self, aws: AwsStandIn, lake: Lake
    ) -> None:
        aws.faults.refuse("StartCrawler", "CrawlerRunningException", "already running")
        assert start_crawler(CRAWLER, interval=timedelta(0))

    def test_that_is_missing_is_one_clear_error(self, lake: Lake) -> None:
        with pytest.raises(AwsError, match=r"^the Glue crawler none: .*EntityNotFoundException"):
            start_crawler("none", interval=timedelta(0))


def _end_crawl() -> None:
    from moto.glue.models import glue_backends

    crawler = glue_backends["123456789012"]["us-east-1"].crawlers[CRAWLER]
    crawler.crawls[-1].status = "COMPLETED"
