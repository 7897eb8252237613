"""The pages behind a reverse proxy, as the example in the documents configures one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path

    from httpx2 import Response

NAME = "abalone.20250314061500"
TOKEN = "a token of the crew's own"
PROXIED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Host": "crew.example",
    "X-Forwarded-Proto": "https",
}
"""As Caddy sends them (https://caddyserver.com/docs/caddyfile/directives/reverse_proxy)."""


def upload(site: Site, headers: dict[str, str], **fields: str) -> Response:
    files = {"file": (NAME, survey_rows(3))}
    return site.client.post("/surveys/upload", files=files, data=fields, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        *({name: value} for name, value in PROXIED.items() if name != "X-Forwarded-Proto"),
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Forwarded-For": "127.0.0.1"},  # whatever it says: it came from elsewhere
    ],
)
def test_without_a_token_what_a_proxy_passes_on_may_not_upload(
    home: Path, headers: dict[str, str]
) -> None:
    site = Site.of(home)
    assert upload(site, {}).status_code == 303
    assert upload(site, headers).status_code == 403


def test_with_a_token_it_may_when_the_proxy_passes_the_name_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_UPLOAD_TOKEN", TOKEN)
    site = Site.of(home, "127.0.0.1", "http://crew.example")
    browser = {**PROXIED, "Origin": "https://crew.example"}
    assert site.client.get("/surveys", headers=PROXIED).status_code == 200
    assert upload(site, browser).status_code == 403
    assert upload(site, browser, token=TOKEN).status_code == 303
    renamed = {**browser, "Host": "127.0.0.1:8080"}  # a proxy that keeps the name to itself
    assert upload(site, renamed, token=TOKEN).status_code == 403


def test_a_proxys_headers_change_no_address_that_is_shown(home: Path) -> None:
    site = Site.of(home, "0.0.0.0", "http://crew.example")
    for path in ("/", "/surveys", "/openapi.json", "/endpoints/abalone"):
        shown = site.client.get(path, headers={**PROXIED, "X-Forwarded-Host": "evil.example"})
        assert "evil.example" not in shown.text + str(shown.headers)
