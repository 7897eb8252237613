"""The Age Calculator in a browser: the browser and the archives are made once for all its tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.lake.reports import Reports
from abalone_assets.modeling.archive import read_card
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.serving.server import pages_of
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.modeling.support import packed, quick_blend, quick_model
from abalone_assets_tests.serving.support import (
    ENDPOINT,
    RunningServer,
    new_registry,
    running_server,
)
from abalone_assets_tests.support.browser import chromium, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from abalone_assets.registry.folder import FolderRegistry

REPORT = b"<!doctype html><title>Report</title><h1>The report on version 1</h1>"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One that ends with this folder: others open theirs, and Playwright has no two at once."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Two versions of what a release trains, in little time."""
    folder = tmp_path_factory.mktemp("archives")
    models = (quick_blend(), quick_model())
    return [packed(model, folder / f"{n}").read_bytes() for n, model in enumerate(models)]


@pytest.fixture
def registry(archives: list[bytes], tmp_path: Path) -> FolderRegistry:
    registry = new_registry(tmp_path)
    for archive in archives:
        registry.register(
            archive,
            evaluation={
                "rmse": 2.0462,
                "rows": 209,
                "model_sha256": read_card(archive).model_sha256,
                "prediction_interval": {"wanted": 0.9, "coverage": 0.91},
            },
            decision={"approved": True, "reason": "good", "rule": "first_model"},
            release_digest="r",
        )
    return registry


@pytest.fixture
def live(registry: FolderRegistry, home: Path) -> Iterator[RunningServer]:
    """Version 1 answers, and there is a report on it, beside all the other pages."""
    publish_pointer(registry.store, ENDPOINT, 1)
    reports = Reports(ObjectStore(home / "lake"))
    reports.keep(registry.get(1).evaluation["model_sha256"], REPORT)
    settings = load_settings().model_copy(update={"endpoint_name": ENDPOINT})
    pages = pages_of(settings, registry, "127.0.0.1")
    with running_server(registry, pages=pages, reports=reports) as running:
        running.wait_for_version(1)
        yield running


@pytest.fixture
def page(browser: Browser, live: RunningServer) -> Iterator[Page]:
    with opened(browser, live.url) as page:
        yield page
