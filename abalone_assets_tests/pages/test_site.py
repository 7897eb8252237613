from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.testclient import TestClient

from abalone_assets.errors import StorageError
from abalone_assets.serving.app import build_app
from abalone_assets.serving.model_host import ModelHost
from abalone_assets_tests.serving.support import ENDPOINT, new_registry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from abalone_assets.pages.site import Site

MARKUP = "<script>alert(1)</script>"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass(frozen=True)
class Tides:
    """A page like any other."""

    title: str = "Tides & Moon"
    path: str = "/tides"

    def routes(self, site: Site) -> Sequence[Route]:
        def show(_request: Request) -> Response:
            return site.render("problem.html.jinja", path=self.path, phrase="T", message=MARKUP)

        def refuse(request: Request) -> Response:
            if request.path_params["how"] == "storage":
                raise StorageError("s3://bucket: not allowed")
            if request.path_params["how"] == "defect":
                raise ZeroDivisionError("the secret detail")
            raise HTTPException(404, f"there is no {MARKUP}")

        return [Route(self.path, show), Route(self.path + "/{how}", refuse)]


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    app = build_app(ModelHost(new_registry(tmp_path), ENDPOINT), None, [Tides()])
    return TestClient(app, raise_server_exceptions=False)


def test_a_page_is_in_the_navigation_and_marked_there_as_the_present_one(
    client: TestClient,
) -> None:
    text = client.get("/tides").text
    assert '<a href="/tides" aria-current="page">Tides &amp; Moon</a>' in text
    assert text.count("aria-current") == 1


def test_whatever_is_put_into_a_page_stays_text(client: TestClient) -> None:
    text = client.get("/tides").text
    assert MARKUP not in text
    assert "&lt;script&gt;" in text


def test_a_browser_may_run_the_sites_own_scripts_only(client: TestClient) -> None:
    policy = client.get("/tides").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("file", "kind"), [("site.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml")]
)
def test_static_files_have_their_type_and_are_asked_for_anew(
    client: TestClient, file: str, kind: str
) -> None:
    response = client.get(f"/static/{file}")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == kind
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-cache"
    again = client.get(f"/static/{file}", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/static/", "/static/../site.py", "/static/%2e%2e/site.py"])
def test_nothing_but_static_files_is_given_away(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_person_is_told_of_an_error_by_a_page_and_a_program_by_json(client: TestClient) -> None:
    page = client.get("/tides/none", headers=BROWSER)
    assert page.status_code == 404
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "there is no &lt;script&gt;" in page.text
    answer = client.get("/tides/none")
    assert answer.json() == {"Message": f"there is no {MARKUP}"}
    assert answer.headers["x-amzn-ErrorType"] == "ValidationError"


def test_a_defect_of_a_page_is_told_by_a_page_and_blamed_on_no_model(client: TestClient) -> None:
    page = client.get("/tides/defect", headers=BROWSER)
    assert page.status_code == 500
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "The server failed on this page; its log says why." in page.text
    assert '<a href="/tides">Tides &amp; Moon</a>.' in page.text
    answer = client.get("/tides/defect")
    assert answer.status_code == 500
    assert answer.json() == {"Message": "the server failed on this request; its log says why"}
    assert answer.headers["x-amzn-ErrorType"] == "InternalFailure"
    assert "secret" not in page.text + answer.text


def test_a_path_that_leads_nowhere_has_the_navigation_to_go_on(client: TestClient) -> None:
    page = client.get("/elsewhere", headers=BROWSER)
    assert page.status_code == 404
    assert '<a href="/tides">Tides &amp; Moon</a>.' in page.text
    assert "There is no page at this address." in page.text


def test_storage_that_refuses_is_told(client: TestClient) -> None:
    answer = client.get("/tides/storage")
    assert answer.status_code == 503
    assert answer.json() == {"Message": "s3://bucket: not allowed"}
    assert "not allowed" in client.get("/tides/storage", headers=BROWSER).text
