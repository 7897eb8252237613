"""Headless Chromium for what a person sees, and what axe-core says of it.

Pictures go to ``test-output/``; those that the documentation shows go to ``docs/images/`` when
``ABALONE_TEST_UPDATE_IMAGES`` is set.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from abalone_assets_tests.support.programs import find_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

PROJECT = Path(__file__).parents[2]
OUTPUT = PROJECT / "test-output/images"
IMAGES = PROJECT / "docs/images" if os.environ.get("ABALONE_TEST_UPDATE_IMAGES") else OUTPUT
TIMEOUT_MS = 60_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (390, 820, 1440)
"""A phone, a tablet, a desktop, in CSS pixels."""

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, Scheme] = ("light", "dark")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; a test without one is skipped, but not in CI."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=TIMEOUT_MS)  # its own 5 s are too few on a busy machine
    program = find_chromium()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Debian's chromium")
        pytest.skip("there is no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, url: str, *, width: int = 1440, scheme: Scheme = "light"
) -> Iterator[Page]:
    """A page that asks nothing of other hosts and runs into no error of its own.

    Raises:
        AssertionError: It did: a script failed, or something was refused by the page's policy.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    errors: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if _is_error(said.text) else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    yield page
    context.close()
    assert not errors
    host = "/".join(url.split("/")[:3])
    assert not [each for each in asked if not each.startswith((host, "blob:", "data:"))]


def _is_error(said: str) -> bool:
    """Whether the console tells of more than an answer that the page itself tells of."""
    return "Failed to load resource" not in said


def violations(page: Page) -> list[str]:
    """What axe-core finds, each with the elements: WCAG's rules and good practice."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found]


def overflows(page: Page) -> bool:
    """Whether the page is wider than its window, so that a person must scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def screenshot(page: Page, name: str) -> None:
    """Keep what the window shows, as a picture of the documentation."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    page.wait_for_load_state("load")
    page.screenshot(path=IMAGES / f"{name}.png")


def picture(page: Page, name: str) -> None:
    """Keep all of a page, for whoever looks at what a test saw."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=OUTPUT / f"{name}.png", full_page=True)
