"""Who may upload: this machine, the page's own form, and who knows the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.datastructures import UploadFile

from abalone_assets_tests.pages.support import HERE, Site
from abalone_assets_tests.pages.surveys.upload_support import (
    END,
    FILE,
    NAME,
    ROWS,
    confirm,
    field,
    landed,
    send,
    staged,
    upload,
)

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "a token of the crew's own"


@pytest.fixture
def site(home: Path) -> Site:
    return Site.of(home)


def test_uploads_are_private_to_the_user_of_the_server(site: Site) -> None:
    staged(site, ROWS)
    for path in [site.home / "uploads", *(site.home / "uploads").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://["},
        {"Host": "evil.example"},
        {"Host": "["},
        {"X-Forwarded-For": "203.0.113.7"},
    ],
    ids=str,
)
def test_another_sites_form_lands_nothing(site: Site, headers: dict[str, str]) -> None:
    place = staged(site, ROWS)
    for path in ("/surveys/upload", place):
        response = site.client.post(path, files={"file": (NAME, ROWS)}, headers=headers)
        assert response.status_code == 403
    assert landed(site) == {}


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin", "Origin": HERE}, {"Origin": HERE}, {}], ids=str
)
def test_the_pages_own_form_and_a_program_are_taken(site: Site, headers: dict[str, str]) -> None:
    response = site.client.post("/surveys/upload", files={"file": (NAME, ROWS)}, headers=headers)
    assert response.status_code == 303


def test_beyond_this_machine_uploading_is_off_without_a_token(home: Path) -> None:
    site = Site.of(home, "0.0.0.0")
    assert upload(site, ROWS).status_code == 403
    form = site.get("/surveys/upload")
    assert form.status_code == 403
    assert "ABALONE_UPLOAD_TOKEN" in form.text
    assert "Upload a survey" not in site.text("/surveys")


def test_with_a_token_it_is_on_for_who_knows_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_UPLOAD_TOKEN", TOKEN)
    site = Site.of(home, "0.0.0.0", "http://crew.example")
    assert 'type="password"' in site.text("/surveys/upload")
    assert TOKEN not in site.text("/surveys/upload")
    for wrong in ({}, {"token": "wrong"}, {"token": TOKEN[:-1]}, {"token": "é"}):
        assert upload(site, ROWS, **wrong).status_code == 403
    assert not (home / "uploads").exists()
    place = staged(site, ROWS, token=TOKEN)
    assert confirm(site, place).status_code == 303
    assert landed(site) == {NAME: ROWS}
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    response = site.client.post("/surveys/upload", files={"file": (NAME, ROWS)}, headers=bearer)
    assert response.status_code == 303


def test_with_a_token_the_pages_own_form_is_taken_over_plain_http(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where browsers send no ``Sec-Fetch-Site``, and tell by ``Origin`` alone."""
    monkeypatch.setenv("ABALONE_UPLOAD_TOKEN", TOKEN)
    site = Site.of(home, "0.0.0.0", "http://crew.example:8080")
    policy = site.get("/surveys/upload").headers["Referrer-Policy"]
    assert policy == "same-origin"  # else the form's Origin would be null
    for origin, status in (
        ("http://crew.example:8080", 303),
        ("http://evil.example", 403),
        ("http://[", 403),
    ):
        site.client.headers["Origin"] = origin
        assert upload(site, ROWS, token=TOKEN).status_code == status


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (FILE + END, {}),
        (field("token", "wrong") + FILE + END, {}),
        (FILE + field("token", TOKEN) + END, {}),
        (FILE + END, {"Authorization": "Bearer wrong"}),
    ],
)
def test_of_a_file_that_comes_before_the_token_nothing_is_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, headers: dict[str, str]
) -> None:
    """A stranger could have had files of 16 MB spooled, as many as there are connections."""
    monkeypatch.setenv("ABALONE_UPLOAD_TOKEN", TOKEN)
    site, written = Site.of(home, "0.0.0.0", "http://crew.example"), []
    with monkeypatch.context() as patched:
        patched.setattr(UploadFile, "write", lambda _, data: written.append(data))
        assert send(site, body, **headers).status_code == 403
    assert written == []
    assert send(site, field("token", "wrong") + END).status_code == 403  # nor is a file asked for
    assert send(site, field("token", TOKEN) + FILE + END).status_code == 303


def test_a_token_that_is_set_is_asked_for_on_this_machine_too(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_UPLOAD_TOKEN", TOKEN)
    assert upload(Site.of(home), ROWS).status_code == 403
