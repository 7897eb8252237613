"""What a person sees: the Dagster UI in headless Chromium, with screenshots of what matters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.support.browser import TIMEOUT_MS, chromium, screenshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from abalone_assets_tests.support.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")

GROUPS = [
    *("ingestion", "simulation", "ageing", "preparation", "training", "evaluation", "deployment"),
    "monitoring",
]
JOBS = "locations/abalone_assets/jobs"
ON_REQUEST = {"hyperparameter_study", "survey_synthesizer", "synthetic_survey"}


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


def test_materialize_all_is_of_all_but_experiments_and_simulation(page: Page, stack: Stack) -> None:
    nodes = stack.graphql("{ assetNodes { assetKey { path } isExecutable } }")["assetNodes"]
    left_out = {node["assetKey"]["path"][0] for node in nodes if not node["isExecutable"]}
    assert left_out == {*ON_REQUEST, "landing_zone"}
    page.goto(f"{stack.ui}/asset-groups")
    page.get_by_role("button", name=f"Materialize all ({len(nodes) - len(left_out)})").wait_for()
    page.goto(f"{stack.ui}/assets/hyperparameter_study")
    page.get_by_text("External Asset").first.wait_for()
    page.get_by_role("link", name="search_hyperparameters").click()
    page.get_by_text("Costs minutes of all processors").wait_for()
    _screenshot(page, "costly_job")


def test_a_launchpad_offers_what_a_run_may_choose_and_says_what_it_does(
    page: Page, stack: Stack
) -> None:
    page.goto(f"{stack.ui}/{JOBS}/simulate_survey/playground")
    editor = page.locator(".CodeMirror-code").first
    editor.get_by_text("land").wait_for()
    offered = set(re.findall(r"\w+", editor.inner_text()))
    assert offered >= {"recipe", "rows"}
    assert not {"uri", "resources", "seeds", "survey_time"} & offered
    editor.get_by_text("synthetic_survey").click()
    page.get_by_text("one that lands is ingested").wait_for()
    page.get_by_text("No errors").wait_for()
    _screenshot(page, "launchpad")


def test_one_of_two_tables_can_be_launched_in_the_dialog(page: Page, stack: Stack) -> None:
    before = {run["runId"] for run in stack.runs()}

    def ended() -> bool:
        new = [run for run in stack.runs() if run["runId"] not in before]
        return any(run["jobName"] == "__ASSET_JOB" and run["endTime"] for run in new)

    page.goto(f"{stack.ui}/assets/new_surveys")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="Latest").click()
    page.get_by_role("button", name="Launch 1 run").wait_for()
    _screenshot(page, "dialog")
    page.get_by_role("button", name="Launch 1 run").click()
    stack.await_(ended, "the run of one table")
    (run,) = [run for run in stack.runs() if run["jobName"] == "__ASSET_JOB"]
    assert run["status"] == "SUCCESS"
    day = stack.tag(run, "dagster/asset_partition_range_end") or stack.tag(run, "dagster/partition")
    assert day in stack.lake.manifest().days
    assert stack.lake.store.find(stack.lake.key("quarantined_rows", day)) is not None


def test_the_runs_page_shows_one_tag_of_a_run(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.ui}/runs")
    page.get_by_text("abalone/survey_days: 2025-05-21", exact=True).first.wait_for()
    assert page.get_by_text("abalone/pid").count() == 0
    assert page.get_by_text("abalone_pid").count() == 0
    _screenshot(page, "runs")


def test_plots_begin_with_what_changes(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.ui}/assets/evaluation")
    page.get_by_role("button", name="Plots").click()
    page.get_by_text("baseline_rmse").wait_for()
    for constant in ("attempt", "billable_seconds"):
        assert page.get_by_text(constant, exact=True).count() == 0
    _screenshot(page, "plots")


def test_new_surveys_shows_its_partitions_and_their_files(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.ui}/assets/new_surveys?view=partitions&partition=2025-05-21")
    page.get_by_text("Materialized (").first.wait_for()
    page.get_by_text("abalone.20250521054500").first.wait_for()
    _screenshot(page, "partitions")


def test_the_report_on_an_evaluation_shows_its_plots(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.ui}/assets/evaluation_report")
    row = page.get_by_role("row").filter(has_text="plots")
    row.get_by_text("[Show Markdown]").click()
    plots = page.locator("img[src^='data:image/svg+xml']")
    plots.nth(2).wait_for()
    assert plots.count() == 3
    assert all(plot.evaluate("image => image.naturalWidth") > 400 for plot in plots.all())
    _screenshot(page, "evaluation")


def test_the_sensors_run_and_the_nightly_release_does_not(page: Page, stack: Stack) -> None:
    from playwright.sync_api import expect

    page.set_viewport_size({"width": 1440, "height": 1600})  # rows below are not in the page
    page.goto(f"{stack.ui}/automation")
    running = {"survey_sensor": True, "release_sensor": True, "nightly_release": False}
    for name, expected in running.items():
        row = page.locator("[data-index]").filter(has_text=name)
        row.get_by_text(name, exact=True).wait_for()
        switch = row.get_by_role("checkbox").nth(1)  # the first one selects the row
        expect(switch).to_be_checked(checked=expected)
    _screenshot(page, "sensors")


def test_the_runs_of_before_are_on_the_timeline_and_on_the_page_of_their_job(
    page: Page, stack: Stack
) -> None:
    """Those of `abalone release` and `demo`: the UI once said "No runs found" of them."""
    first = next(run for run in reversed(stack.runs()) if run["jobName"] == "release")
    assert stack.tag(first, "dagster/sensor_name") is None, "no daemon asked for it"
    page.goto(f"{stack.ui}/locations/abalone_assets/jobs/release/runs")
    page.get_by_text(first["runId"][:8]).first.wait_for()
    _screenshot(page, "job")
    page.goto(f"{stack.ui}/overview/activity/timeline")
    for job in ("ingest_surveys", "release"):
        page.get_by_text(job, exact=True).first.wait_for()
    _screenshot(page, "timeline")


def _screenshot(page: Page, name: str) -> None:
    page.wait_for_load_state("load")
    page.wait_for_timeout(1500)  # the graph is drawn after its data has come
    screenshot(page, name)
