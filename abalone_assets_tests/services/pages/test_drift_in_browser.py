"""The page of what the endpoint was asked, as a person sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.lake.lake import Lake
from abalone_assets.serving.server import pages_of
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.monitoring.support import report_on
from abalone_assets_tests.serving.support import RunningServer, new_registry, running_server
from abalone_assets_tests.support.browser import (
    SCHEMES,
    WIDTHS,
    chromium,
    opened,
    overflows,
    picture,
    screenshot,
    violations,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("browser")

LIVE = {"animals": 64, "rmse": 2.31, "low": 1.9, "high": 2.7, "mae": 1.66, "bias": -0.21}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def lake(home: Path) -> Lake:
    return Lake(str(home / "lake"))


@pytest.fixture
def server(home: Path) -> Iterator[RunningServer]:
    registry = new_registry(home)
    with running_server(
        registry, pages=pages_of(load_settings(), registry, "127.0.0.1")
    ) as running:
        yield running


def test_an_engineer_reads_what_drifted_and_opens_the_report(
    browser: Browser, server: RunningServer, lake: Lake
) -> None:
    with opened(browser, server.url) as page:
        page.get_by_role("link", name="Drift").click()
        page.get_by_role("heading", name="No captures yet").wait_for()
        report_on(lake, longer_by=0.08, refusals=("sex", "sex", "content type"))
        page.reload()
        page.get_by_role("status").filter(has_text="differ from those").wait_for()
        length = page.get_by_role("region", name="Against the training split").get_by_role(
            "row", name="length"
        )
        length.get_by_text("drifted", exact=True).wait_for()
        assert length.get_by_role("img").count() == 2
        length.get_by_role("img", name="length: index by day, last").wait_for()
        length.get_by_role("img", name="length: share of the requests").wait_for()
        reasons = page.get_by_role("region", name="Requests outside the contract")
        assert reasons.get_by_role("row", name="sex").get_by_role("cell").inner_text() == "2"
        page.get_by_role("link", name="The report, with the distributions").click()
        page.get_by_role("heading", name="What the endpoint was asked").wait_for()
        assert page.locator("img").count() == 2
        loaded = "image => image.naturalWidth"
        assert all(image.evaluate(loaded) > 400 for image in page.locator("img").all())


def test_it_suits_everybody_on_phone_and_desktop_light_and_dark(
    browser: Browser, server: RunningServer, lake: Lake
) -> None:
    found: list[object] = []

    def look(name: str) -> None:
        for width in WIDTHS:
            for scheme in SCHEMES:
                with opened(browser, f"{server.url}/drift", width=width, scheme=scheme) as page:
                    picture(page, f"{name}-{width}-{scheme}")
                    amiss = violations(page) or overflows(page)
                    if amiss:
                        found.append((name, width, scheme, amiss))
                    if (name, width, scheme) == ("drift", 1440, "light"):
                        screenshot(page, "drift")

    look("no-drift-yet")
    report_on(lake, days=9, longer_by=0.06, refusals=("sex", "sex", "content type"))
    lake.store.write_json("live_performance/data.json", LIVE | {"expected": 2.1, "coverage": 0.91})
    look("drift")
    assert found == []
