"""What a person sees: the Dagster UI in headless Chromium, with screenshots of what matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.support.browser import TIMEOUT_MS, chromium, screenshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from abalone_assets_tests.support.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")

GROUPS = [
    *("ingestion", "simulation", "preparation", "training", "evaluation", "deployment"),
    "monitoring",
]


@pytest.fixture(scope="module")
def page(stack: Stack) -> Iterator[Page]:
    """A page on the running UI."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(stack.ui)
        yield page


def test_the_lineage_shows_every_stage(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.ui}/asset-groups")
    for group in GROUPS:
        page.get_by_text(group, exact=True).first.wait_for()
    page.keyboard.press("Alt+KeyE")  # expand all groups
    for asset in (
        "landing_zone",
        "synthetic_survey",
        "merged_dataset",
        "trained_model",
        "endpoint",
        "drift_report",
    ):
        page.get_by_text(asset, exact=True).first.wait_for()
    _screenshot(page, "lineage")


def test_new_surveys_shows_its_partitions_and_their_files(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.ui}/assets/new_surveys?view=partitions&partition=2025-05-21")
    page.get_by_text("Materialized (").first.wait_for()
    page.get_by_text("abalone.20250521054500").first.wait_for()
    _screenshot(page, "partitions")


def test_the_report_on_an_evaluation_shows_its_plots(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.ui}/assets/evaluation_report")
    row = page.get_by_role("row").filter(has_text="plots")
    row.get_by_text("[Show Markdown]").click()
    plots = page.locator("img[src^='data:image/png']")
    plots.nth(2).wait_for()
    assert plots.count() == 3
    assert all(plot.evaluate("image => image.naturalWidth") > 400 for plot in plots.all())
    _screenshot(page, "evaluation")


def test_the_sensors_run_and_the_nightly_release_does_not(page: Page, stack: Stack) -> None:
    from playwright.sync_api import expect

    page.goto(f"{stack.ui}/automation")
    running = {"survey_sensor": True, "release_sensor": True, "nightly_release": False}
    for name, expected in running.items():
        row = page.locator("[data-index]").filter(has_text=name)
        row.get_by_text(name, exact=True).wait_for()
        switch = row.get_by_role("checkbox").nth(1)  # the first one selects the row
        expect(switch).to_be_checked(checked=expected)
    _screenshot(page, "sensors")


def _screenshot(page: Page, name: str) -> None:
    page.wait_for_load_state("load")
    page.wait_for_timeout(1500)  # the graph is drawn after its data has come
    screenshot(page, name)
