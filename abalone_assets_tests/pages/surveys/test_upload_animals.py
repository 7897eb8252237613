"""Uploading animals whose rings nobody counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.pages.surveys.upload_support import NAME, ROWS, confirm, landed, staged

if TYPE_CHECKING:
    from pathlib import Path

UNCOUNTED = "".join(f"{line.rpartition(',')[0]}\n" for line in ROWS.splitlines())
UNAGED = "animals.20250314061500"


@pytest.fixture
def site(home: Path) -> Site:
    return Site.of(home)


@pytest.mark.parametrize(
    ("given_name", "fields"),
    [
        (UNAGED, {}),
        (NAME, {"rings": "none"}),
        ("crew.csv", {"rings": "none", "time": "2025-03-14T06:15:00"}),
        (UNAGED, {"time": "2025-03-14T06:15:00"}),
    ],
)
def test_animals_without_rings_land_under_their_own_name(
    site: Site, given_name: str, fields: dict[str, str]
) -> None:
    place = staged(site, UNCOUNTED, given_name, **fields)
    text = site.text(place)
    assert "All 12 rows can be used" in text
    assert "animals without rings: the live model tells their ages" in text
    response = confirm(site, place, **fields)
    assert response.headers["location"] == f"/surveys/{UNAGED}?landed=landed"
    assert landed(site) == {UNAGED: UNCOUNTED}
    assert "its ages are here within seconds" in site.text(response.headers["location"])


def test_what_is_said_of_the_rings_is_asked_again_with_each_step(site: Site) -> None:
    text = site.text(staged(site, UNCOUNTED, rings="none"))
    assert '<input type="hidden" name="rings" value="none">' in text
    assert '<option value="none" selected>' in text


@pytest.mark.parametrize(
    ("content", "given_name", "rings", "reason"),
    [
        (UNCOUNTED, NAME, "", "animals whose rings nobody counted"),
        (UNCOUNTED, UNAGED, "counted", "animals whose rings nobody counted"),
        (ROWS, UNAGED, "", "with counted rings it is a survey"),
        (ROWS, NAME, "none", "with counted rings it is a survey"),
        (ROWS, NAME, "perhaps", "says nothing of the rings"),
    ],
)
def test_a_file_of_the_other_kind_cannot_land(
    site: Site, content: str, given_name: str, rings: str, reason: str
) -> None:
    place = staged(site, content, given_name, rings=rings)
    text = site.text(place)
    assert "It cannot land like this" in text
    assert reason in text
    assert confirm(site, place, rings=rings).status_code == 409
    assert landed(site) == {}


def test_bad_rows_without_rings_are_marked_and_come_back_mended(site: Site) -> None:
    place = staged(site, f"{UNCOUNTED}X,{UNCOUNTED[2:].splitlines()[0]}\n", UNAGED)
    marked = site.get(f"{place}/marked").text
    assert marked.startswith("problem,sex,length,diameter,height,whole_weight,shucked_weight,")
    assert "rings" not in marked.splitlines()[0]
    again = staged(site, marked.replace(",X,", ",F,"), UNAGED)
    assert "All 13 rows can be used" in site.text(again)
    assert "eight columns in order" in site.text(again)
