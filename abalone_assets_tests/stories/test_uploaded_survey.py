"""A crew uploads a survey on the page; what becomes of it is on the pages, up to the live model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets_tests.automation.support import platform_in
from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    import pytest

NAME = "abalone.20250901061500"


def test_an_uploaded_survey_is_taken_in_released_and_leads_to_its_version(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with platform_in(tmp_path_factory.mktemp("uploaded")) as platform:
        site = Site.of(platform.home)
        bad = b"X" + survey_rows(1)[1:]
        sent = {"file": (f"{NAME}.csv", survey_rows(30, seed=3) + bad)}
        place = site.client.post("/surveys/upload", files=sent).headers["location"]
        assert "1\n  of its 31 rows cannot be used" in site.text(place)
        landed = site.client.post(place).headers["location"]
        assert "waits to be taken in" in site.text(landed)

        platform.settle()
        page = site.text(f"/surveys/{NAME}")
        assert "its rows are in the lake" in page
        assert "<dt>rows taken in</dt><dd>30</dd>" in page
        assert "sex is &#39;X&#39;" in page
        assert 'first in <a href="/models/1">version 1</a>, approved by the gate' in page
        models = site.text("/models")
        assert ">live<" in models
        assert "1 survey day" in models
        version = site.text("/models/1")
        assert "2025-09-01 to 2025-09-01" in version
        assert '<th scope="row" role="rowheader">infants</th>' in version
