"""Forms that are none, are too large or come too late, and checks that take long."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from abalone_assets.ingest.landing import check_files
from abalone_assets.pages.surveys import staged_uploads
from abalone_assets.pages.surveys.forms import FORM_BYTES, MAX_UPLOAD_BYTES
from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.pages.surveys.upload_support import (
    END,
    FILE,
    ROWS,
    confirm,
    send,
    staged,
    upload,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(home: Path) -> Site:
    return Site.of(home)


def test_a_file_above_the_limit_is_refused_before_it_is_kept(site: Site) -> None:
    response = upload(site, b"0" * (MAX_UPLOAD_BYTES + 2**17))
    assert response.status_code == 413
    assert "split it" in response.text
    assert not (site.home / "uploads").exists()


def test_a_body_that_is_no_form_is_refused(site: Site) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (
        site.client.post("/surveys/upload", content=b"nonsense", headers=headers).status_code == 400
    )


def test_an_unknown_upload_is_a_page_that_says_so(site: Site) -> None:
    for key in ("x" * 22, "..%2f..", "short"):
        response = site.get(f"/surveys/upload/{key}")
        assert response.status_code == 404
        assert "takes another" in response.text or "Not Found" in response.text


def test_uploads_are_kept_for_an_hour_and_not_all_of_them(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [staged(site, ROWS) for _ in range(2)]
    folder = site.home / "uploads"
    old = places[0].rpartition("/")[2]
    for path in (folder / old / "about.json", folder / old):
        os.utime(path, (1, 1))
    assert site.get(places[0]).status_code == 404
    monkeypatch.setattr(staged_uploads, "MAX_STAGED", 2)
    places += [staged(site, ROWS) for _ in range(2)]
    assert [site.get(place).status_code for place in places[1:]] == [404, 200, 200]
    assert len(list(folder.iterdir())) == 2


def test_a_form_that_is_none_is_told_so(site: Site) -> None:
    assert send(site, b"nonsense").status_code == 400
    assert send(site, FILE.replace(b"; name", b"; what") + END).status_code == 400


def test_a_form_that_says_it_is_too_large_is_not_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Request, "stream", lambda _: pytest.fail("read"))
    assert send(site, b"x" * (MAX_UPLOAD_BYTES + FORM_BYTES + 1)).status_code == 413


def test_who_confirms_what_nobody_uploaded_sends_in_vain(site: Site) -> None:
    too_much = {"time": "x" * (FORM_BYTES + 1)}
    assert confirm(site, "/surveys/upload/" + "a" * 22, **too_much).status_code == 404
    assert confirm(site, staged(site, ROWS), **too_much).status_code == 413


def test_a_check_that_takes_long_holds_up_no_other_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, going, go_on = staged(site, ROWS), threading.Event(), threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        going.set()
        assert go_on.wait(20)
        return check_files(*args, **kwargs)

    monkeypatch.setattr("abalone_assets.pages.surveys.checks.check_files", slow)
    with site.client:
        asked = threading.Thread(target=site.get, args=(place,))
        asked.start()
        try:
            assert going.wait(20)
            assert site.get("/ping").status_code == 503  # answered: there is no model
            assert site.get("/surveys").status_code == 200
        finally:
            go_on.set()
            asked.join(20)
