"""Uploading a survey: checked, shown, landed when confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.cli.support import GOOD_ROW
from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.pages.surveys.upload_support import (
    NAME,
    ROWS,
    confirm,
    landed,
    staged,
    upload,
)
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from pathlib import Path

BAD = "X,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"


@pytest.fixture
def site(home: Path) -> Site:
    return Site.of(home)


def test_the_form_asks_for_the_units_first(site: Site) -> None:
    text = site.text("/surveys/upload")
    assert text.index("Units</label>") < text.index("Survey file</label>")
    chosen = staged(site, ROWS, units="mm-g")
    assert chosen.endswith("?units=mm-g")
    assert "Its numbers look like millimetres / 200 and grams / 200" in site.text(chosen)
    assert site.text(staged(site, ROWS)).index("What the check found") < site.text(
        staged(site, ROWS)
    ).index("Read it otherwise")


def test_a_good_file_lands_when_it_is_confirmed_and_not_before(site: Site) -> None:
    place = staged(site, ROWS)
    assert "All 12 rows can be used" in site.text(place)
    assert landed(site) == {}
    response = confirm(site, place)
    assert response.headers["location"] == f"/surveys/{NAME}?landed=landed"
    assert landed(site) == {NAME: ROWS}
    assert "It has landed" in site.text(response.headers["location"])
    assert site.get(place).status_code == 404


def test_bad_rows_are_shown_and_the_marked_file_comes_back_mended(site: Site) -> None:
    place = staged(site, ROWS + BAD)
    text = site.text(place)
    assert "1\n  of its 13 rows cannot be used" in text
    assert 'data-label="line">13</td>' in text
    marked = site.get(f"{place}/marked").text
    assert marked.splitlines()[-1].startswith('"sex is')
    again = staged(site, marked.replace(",X,", ",F,"))
    assert "All 13 rows can be used" in site.text(again)
    confirm(site, again)
    assert landed(site)[NAME].count("\n") == 13
    assert "problem" not in landed(site)[NAME]


def test_a_file_with_bad_rows_may_land_without_them(site: Site) -> None:
    place = staged(site, ROWS + BAD)
    assert "Land it, without the bad rows" in site.text(place)
    assert confirm(site, place).status_code == 303
    assert landed(site) == {NAME: ROWS + BAD}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("\0", "NUL byte"),
        (ROWS + BAD * 9, "9 of 21 records break a rule"),
        (Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"]).file(), "kilograms"),
        ("M,91,73,19,102.8,44.9,20.2,30,15\n" * 5, "mm"),
        (BAD, "none of it"),
    ],
    ids=["binary", "mostly bad", "held", "units", "no good row"],
)
def test_what_ingestion_would_refuse_or_hold_is_refused_with_the_reason(
    site: Site, content: str | bytes, reason: str
) -> None:
    place = staged(site, content)
    text = site.text(place)
    assert "It cannot land like this" in text
    assert reason in text
    assert 'method="post"' not in text
    response = confirm(site, place)
    assert response.status_code == 409
    assert "It cannot land like this" in response.text
    assert landed(site) == {}


def test_a_file_in_doubt_is_read_in_the_units_that_are_chosen(site: Site) -> None:
    rows = [line.split(",") for line in ROWS.splitlines()]
    grams = "".join(
        ",".join([row[0], *(f"{float(each) * 200:.2f}" for each in row[1:8]), row[8]]) + "\n"
        for row in rows
    )
    place = staged(site, "sex,length,diameter,height,whole,shucked,viscera,shell,rings\n" + grams)
    text = site.text(place)
    assert "It cannot land like this" in text
    assert "Its numbers look like millimetres and grams" in text
    assert '<option value="mm-g" selected>' in text
    assert text.index("Read it otherwise") < text.index("What the check found")
    assert "All 12 rows can be used" in site.text(f"{place}?units=mm-g")
    assert confirm(site, place, units="mm-g").status_code == 303
    assert landed(site)[NAME].splitlines()[0] == "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15"


@pytest.mark.parametrize(
    ("given", "time", "name"),
    [
        ("abalone.20250314061500.csv", "", NAME),
        ("abalone.20250314061500 (1).csv", "", NAME),
        ("crew.csv", "2025-03-14T06:15", NAME),
        ("crew.csv", "2025-03-14T06:15:00", NAME),
        ("crew.csv", "2025-03-14 08:15:00+02:00", NAME),
        (NAME, "2025-03-15T00:00:00", "abalone.20250315000000"),
    ],
)
def test_the_name_follows_from_the_files_or_from_the_time_that_is_told(
    site: Site, given: str, time: str, name: str
) -> None:
    place = staged(site, ROWS, given, time=time)
    assert f'<dd class="name">{name}</dd>' in site.text(place)
    confirm(site, place, time=time)
    assert list(landed(site)) == [name]


@pytest.mark.parametrize(
    ("given", "time", "reason"),
    [
        ("crew.csv", "", "does not tell when"),
        ("abalone.2025031406150099", "", "does not tell when"),
        ("crew.csv", "yesterday", "is no time"),
        ("crew.csv", "20250314T061500", "is no time"),
        ("crew.csv", "0001-01-01T00:00+14:00", "is no time"),
        ("crew.csv", "1999-03-14T06:15", "before the first partition"),
        ("crew.csv", "2099-03-14T06:15", "in the future"),
        ("abalone.20251314061500", "", "does not exist"),
    ],
)
def test_a_time_that_is_none_or_has_no_partition_is_told(
    site: Site, given: str, time: str, reason: str
) -> None:
    place = staged(site, ROWS, given, time=time)
    assert reason in site.text(place)
    assert confirm(site, place, time=time).status_code == 409
    assert landed(site) == {}


def test_another_survey_of_that_name_is_replaced_only_when_that_is_said(site: Site) -> None:
    site.land(NAME, GOOD_ROW, ingested=False)
    place = staged(site, ROWS)
    assert "Another file lies there under this name" in site.text(place)
    refused = confirm(site, place)
    assert refused.status_code == 409
    assert "say first that it replaces" in refused.text
    assert landed(site) == {NAME: GOOD_ROW}
    assert confirm(site, place, replace="yes").headers["location"].endswith("?landed=replaced")
    assert landed(site) == {NAME: ROWS}


def test_the_same_survey_lands_once(site: Site) -> None:
    site.land(NAME, ROWS, ingested=False)
    place = staged(site, ROWS)
    assert "This very file has landed already" in site.text(place)
    assert confirm(site, place).status_code == 409


def test_a_file_that_lands_between_check_and_confirmation_is_not_overwritten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = staged(site, ROWS)
    land = FolderLandingZone.land

    def after_another(zone: FolderLandingZone, name: str, data: bytes, **how: Any) -> None:
        (zone.folder / NAME).write_text(GOOD_ROW)
        land(zone, name, data, **how)

    monkeypatch.setattr(FolderLandingZone, "land", after_another)
    response = confirm(site, place)
    assert response.status_code == 409
    assert "has landed meanwhile" in response.text
    assert landed(site) == {NAME: GOOD_ROW}


def test_markup_in_name_and_rows_stays_text(site: Site) -> None:
    place = staged(site, ROWS + BAD.replace("X", "<b>X</b>"), f"<i>{NAME}</i>.csv", units="<u>")
    text = site.text(place)
    assert not [tag for tag in ("<b>", "<i>", "<u>") if tag in text]
    whole = site.text(place.partition("?")[0])
    assert "&lt;b&gt;X&lt;/b&gt;" in whole
    assert not [tag for tag in ("<b>", "<i>") if tag in whole]


def test_no_file_and_an_empty_one_are_asked_for_again(site: Site) -> None:
    for response in (upload(site, "", "nothing.csv"), site.client.post("/surveys/upload")):
        assert response.status_code == 422
        assert "Survey file" in response.text


def test_a_method_that_a_path_does_not_have_is_told_which_it_has(site: Site) -> None:
    answer = site.client.put("/surveys/upload")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert "<h1>Method Not Allowed</h1>" in answer.text
