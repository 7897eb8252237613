"""Which model answers, and what the page says when none does."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from abalone_assets.serving.pointer import publish_pointer
from abalone_assets_tests.services.pages.calculator.person import (
    MEASURED,
    SURVEYED,
    TELL,
    asked_by_program,
    fill_in,
    tell,
)
from abalone_assets_tests.serving.support import ENDPOINT, RunningServer, running_server
from abalone_assets_tests.support.browser import opened, screenshot, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from abalone_assets.registry.folder import FolderRegistry

pytestmark = pytest.mark.xdist_group("browser")


def test_the_model_that_answers_has_its_report(page: Page) -> None:
    page.set_viewport_size({"width": 1200, "height": 1010})
    tell(page, MEASURED)
    page.evaluate("window.scrollTo(0, 0)")
    screenshot(page, "age-calculator")
    page.get_by_text("it was off by 2.046 rings (RMSE).").wait_for()  # as /models tells it
    page.get_by_role("link", name="Report on version 1").click()
    page.get_by_role("heading", name="The report on version 1").wait_for()


def test_without_a_model_the_page_says_so_and_comes_alive_by_itself(
    browser: Browser, registry: FolderRegistry
) -> None:
    with running_server(registry) as running, opened(browser, running.url) as page:
        page.get_by_text("No model answers yet").wait_for()
        page.get_by_text(
            "waits for its first deployment. Once one does, this page shows it by itself."
        ).wait_for()
        assert page.get_by_role("button", name=TELL).is_disabled()
        assert violations(page) == []
        publish_pointer(registry.store, ENDPOINT, 1)
        page.get_by_text("No model answers yet").wait_for(state="hidden")
        assert "years old" in tell(page, MEASURED)
        assert page.get_by_role("link", name="Report on").count() == 0  # there is no lake


def test_a_model_that_is_swapped_meanwhile_gives_the_next_answer(
    page: Page, live: RunningServer, registry: FolderRegistry
) -> None:
    before = tell(page, MEASURED)
    page.get_by_text("Version 1.").wait_for()
    publish_pointer(registry.store, ENDPOINT, 2)
    live.wait_for_version(2)
    page.get_by_role("button", name=TELL).click()
    page.get_by_text("Version 2.").wait_for()
    after = page.get_by_role("status").filter(has_text="years old").inner_text()
    told = asked_by_program(live, f"F,{','.join(map(str, SURVEYED))}")
    assert f"{told['rings']:.1f} rings" in after
    assert before != after


def test_a_server_that_went_away_is_told_and_what_was_typed_stays(
    browser: Browser, registry: FolderRegistry
) -> None:
    with ExitStack() as stack:
        with running_server(registry) as running:
            page = stack.enter_context(opened(browser, running.url))
            fill_in(page, MEASURED)
        told = page.locator("#waiting").get_by_text("The server does not answer.")
        told.wait_for()
        assert told.inner_text().endswith("Once it answers again, this page goes on by itself.")
        assert page.get_by_text("No model answers yet").count() == 0
        assert page.get_by_label("Length").input_value() == MEASURED["Length"]
