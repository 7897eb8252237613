"""Everybody can read the page, in each width and colour scheme."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.services.pages.calculator.person import (
    LINES,
    OLD,
    TELL,
    TELL_ALL,
    pasted,
    tell,
)
from abalone_assets_tests.support.browser import (
    SCHEMES,
    WIDTHS,
    Scheme,
    opened,
    overflows,
    picture,
    violations,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from abalone_assets_tests.serving.support import RunningServer

pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    browser: Browser, live: RunningServer, width: int, scheme: Scheme
) -> None:
    with opened(browser, live.url, width=width, scheme=scheme) as page:
        page.get_by_text("Version 1.").wait_for()
        assert violations(page) == []
        tell(page, OLD)
        page.get_by_label(LINES).fill("\n".join([*pasted(40), "M,91"]))
        page.get_by_role("button", name=TELL_ALL).click()
        page.get_by_text("40 animals aged").wait_for()
        assert violations(page) == []
        assert not overflows(page)
        picture(page, f"age-calculator-{width}-{scheme}")
        page.get_by_label("Length").fill("x")
        page.get_by_role("button", name=TELL).click()
        page.get_by_text("must be a decimal number").wait_for()
        page.get_by_label(LINES).fill(json.dumps({}))
        page.get_by_role("button", name=TELL_ALL).click()
        page.get_by_text("1 line is no animal").wait_for()
        assert violations(page) == []
        assert not overflows(page)
