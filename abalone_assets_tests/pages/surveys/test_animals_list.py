"""The list of animals without rings has pages of its own, so that none of its files is hidden."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.ageing.shore import shore_at
from abalone_assets_tests.cli.support import GOOD_ROW
from abalone_assets_tests.pages.support import Site

if TYPE_CHECKING:
    from pathlib import Path

ANIMAL = GOOD_ROW.rpartition(",")[0] + "\n"
DAY = "2025-03-14"
MORNING, NOON, EVENING = (f"animals.20250314{time}" for time in ("060000", "120000", "180000"))
BEFORE, AFTER = "animals.20250313060000", "animals.20250315060000"
SURVEYS = ["abalone.20250315060000", "abalone.20250314060000"]


@pytest.fixture
def site(home: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Five files of animals, of which two are shown at a time; two surveys, of which one is."""
    monkeypatch.setattr("abalone_assets.pages.surveys.page.SHOWN_ANIMALS", 2)
    monkeypatch.setattr("abalone_assets.pages.surveys.page.SHOWN_FILES", 1)
    site = Site.of(home)
    for name in (BEFORE, MORNING, NOON, EVENING, AFTER):
        (site.zone.folder / name).write_text(ANIMAL)
    for name in SURVEYS:
        (site.zone.folder / name).write_text(GOOD_ROW)
    return site


def files(page: str, kind: str = "animals") -> list[str]:
    return re.findall(rf">({kind}\.\d+)</a>", page)


def links(page: str, said: str) -> list[str]:
    """Where the links with these words lead to."""
    return [unescape(address) for address in re.findall(rf'href="([^"]+)">{said}<', page)]


def test_older_files_of_animals_are_on_pages_of_their_own(site: Site) -> None:
    first = site.text("/surveys")
    assert files(first) == [AFTER, EVENING]
    of_surveys, of_animals = links(first, "Older")
    assert of_animals.endswith("#animals")
    second = site.text(of_animals)
    assert (files(second), files(second, "abalone")) == ([NOON, MORNING], SURVEYS[:1])
    _, of_animals = links(second, "Older")
    third = site.text(of_animals)
    assert files(third) == [BEFORE]
    assert links(third, "Older") == [f"{of_surveys}&animals_before={MORNING}"]
    assert links(third, "Newest") == ["/surveys#animals"]
    assert site.get("/surveys?animals_before=nonsense").status_code == 400


def test_older_surveys_leave_the_animals_where_they_were(site: Site) -> None:
    text = site.text(f"/surveys?before={SURVEYS[0]}&animals_before={EVENING}")
    assert (files(text), files(text, "abalone")) == ([NOON, MORNING], SURVEYS[1:])
    assert links(text, "Newest") == [
        f"/surveys?animals_before={EVENING}",
        f"/surveys?before={SURVEYS[0]}#animals",
    ]


def test_a_day_has_all_its_files_of_animals(site: Site) -> None:
    first = site.text(f"/surveys?day={DAY}")
    assert files(first) == [EVENING, NOON]
    (older,) = links(first, "Older")
    second = site.text(older)
    assert (files(second), files(second, "abalone")) == ([MORNING], SURVEYS[1:])
    assert links(second, "Newest") == [f"/surveys?day={DAY}#animals"]
    (earlier,) = links(second, "Animals of earlier days")
    assert files(site.text(earlier)) == [BEFORE]
    assert "There are none as old as that." in site.text(f"/surveys?animals_before={BEFORE}")


def test_files_of_animals_with_something_to_read_can_be_picked_out(
    site: Site, tmp_path: Path
) -> None:
    (site.zone.folder / NOON).write_text(f"{ANIMAL * 9}X{ANIMAL[1:]}")
    shore = shore_at(str(site.zone.folder), str(site.home / "lake"), tmp_path)
    shore.take_in(shore.due())
    assert files(site.text("/surveys?show=remarkable")) == [NOON]
