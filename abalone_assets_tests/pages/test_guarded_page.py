"""Under which names the pages of a home can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.cli.support import GOOD_ROW
from abalone_assets_tests.pages.support import Site

if TYPE_CHECKING:
    from pathlib import Path

NAME = "abalone.20250314061500"
SURVEYS = ["/surveys", *(f"/surveys/{NAME}{part}" for part in ("", "/original", "/marked"))]
PAGES = [*SURVEYS, "/models", "/reports"]
ELSEWHERE = ["evil.example", "127.0.0.1.evil.example:8080", "localhost@evil.example", "[", ""]


def statuses(site: Site, host: str) -> dict[str, int]:
    return {path: site.client.get(path, headers={"Host": host}).status_code for path in PAGES}


@pytest.mark.parametrize("host", ELSEWHERE)
def test_on_loopback_no_page_is_read_under_another_sites_name(home: Path, host: str) -> None:
    site = Site.of(home)
    site.land(NAME, GOOD_ROW)
    assert statuses(site, host) == dict.fromkeys(PAGES, 403)
    answer = site.client.get(f"/surveys/{NAME}", headers={"Host": host})
    assert "open it at http://127.0.0.1" in answer.text
    assert NAME not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]:8080"])
def test_on_loopback_they_are_read_under_names_of_this_machine(home: Path, host: str) -> None:
    site = Site.of(home)
    site.land(NAME, GOOD_ROW)
    assert statuses(site, host) == dict.fromkeys(PAGES, 200)


@pytest.mark.parametrize(
    ("address", "token"), [("0.0.0.0", ""), ("0.0.0.0", "x" * 16), ("127.0.0.1", "x" * 16)]
)
def test_beyond_loopback_or_with_a_token_they_are_read_under_any_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, address: str, token: str
) -> None:
    monkeypatch.setenv("ABALONE_UPLOAD_TOKEN", token)
    site = Site.of(home, address)
    site.land(NAME, GOOD_ROW)
    assert statuses(site, "crew.example") == dict.fromkeys(PAGES, 200)
