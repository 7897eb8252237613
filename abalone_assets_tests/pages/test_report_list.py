from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

from abalone_assets.errors import StorageError
from abalone_assets.lake.reports import Reports
from abalone_assets.pages.report_list import ReportList
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.serving.support import (
    RunningServer,
    new_registry,
    register,
    running_server,
    tiny_archive,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KNOWN, UNKNOWN = "c" * 64, "d" * 64
PAGE = b"<!doctype html><title>caf\xc3\xa9</title>"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def live(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of two reports, one of them of version 1."""
    registry = new_registry(tmp_path_factory.mktemp("reports"))
    version = register(registry, tiny_archive(1))
    reports = Reports(ObjectStore(lake))
    reports.keep(version.evaluation["model_sha256"], PAGE)
    reports.keep(KNOWN, PAGE)
    (lake / "manifest.html").write_text("not for browsers")
    with running_server(registry, pages=[ReportList(reports, registry, lambda: 1)]) as running:
        yield running


def get(running: RunningServer, path: str) -> requests.Response:
    return requests.get(running.url + path, timeout=10)


def test_a_report_is_a_page_that_may_run_and_fetch_nothing(live: RunningServer) -> None:
    response = get(live, f"/reports/{KNOWN}")
    assert response.status_code == 200
    assert response.content == PAGE
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_index_links_to_every_report_and_names_versions(live: RunningServer) -> None:
    response = get(live, "/reports")
    assert response.status_code == 200
    assert response.text.count('<tr role="row">') == 3
    assert f'href="/reports/{KNOWN}">Report on a model of no version</a>' in response.text
    assert ">Report on version 1</a>" in response.text
    assert '<a href="/models/1">what is known of it</a>' in response.text
    assert '<span class="badge good">live</span>' in response.text
    assert '<span class="badge">approved by the gate</span>' in response.text
    assert "2.100" in response.text
    assert re.search(r">20\d\d-\d\d-\d\d \d\d:\d\d</td>", response.text)


@pytest.mark.parametrize(
    "path",
    [
        f"/reports/{UNKNOWN}",
        "/reports/short",
        f"/reports/{KNOWN}.html",
        "/reports/..%2f..%2fmanifest",
        f"/reports/{KNOWN}%0a",
    ],
)
def test_anything_else_is_not_found_in_the_houses_words(live: RunningServer, path: str) -> None:
    response = get(live, path)
    assert response.status_code == 404
    assert response.json()["Message"]
    assert response.headers["x-amzn-ErrorType"] == "ValidationError"


def test_reports_are_only_read(live: RunningServer) -> None:
    for method in ("POST", "PUT", "DELETE"):
        response = requests.request(method, f"{live.url}/reports/{KNOWN}", timeout=10)
        assert response.status_code == 405


def test_a_lake_that_does_not_answer_is_told(
    live: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("s3://bucket: not allowed")

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "find", refuse)
        response = get(live, f"/reports/{KNOWN}")
    assert response.status_code == 503
    assert "not allowed" in response.json()["Message"]


def test_no_reports_yet_is_said_and_without_a_lake_there_is_no_such_page(tmp_path: Path) -> None:
    registry = new_registry(tmp_path)
    reports = ReportList(Reports(ObjectStore(tmp_path / "lake")), registry)
    with running_server(registry, pages=[reports]) as running:
        assert "There are none yet" in get(running, "/reports").text
    with running_server(registry) as running:
        assert get(running, "/reports").status_code == 404
