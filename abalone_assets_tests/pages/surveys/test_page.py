"""The pages of survey files."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from abalone_assets.lake.released_files import record_released_files
from abalone_assets.pages.surveys.page import SHOWN_FILES, SHOWN_ROWS
from abalone_assets.sample_data import base_survey
from abalone_assets.survey import parse_survey
from abalone_assets_tests.cli.support import GOOD_ROW
from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.support.out_of_reach import WHY, out_of_reach
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from pathlib import Path

NAME, DAY = "abalone.20250314061500", "2025-03-14"
MARKUP = "<b>bold</b>"
BAD = f"{MARKUP},0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"


@pytest.fixture
def site(home: Path) -> Site:
    return Site.of(home)


def test_the_list_has_the_newest_first_with_what_became_of_each(site: Site) -> None:
    site.land(NAME, GOOD_ROW + BAD)
    site.land("abalone.20250401061500", "\0")
    site.land("abalone.20250402061500", GOOD_ROW, ingested=False)
    text = site.text("/surveys")
    places = [
        text.index(part)
        for part in ("abalone.20250402061500<", "waits to be taken in", "abalone.20250401061500<")
    ]
    places += [text.index(part, places[-1]) for part in ("refused", "NUL byte", f"{NAME}<")]
    assert places == sorted(places)
    assert text.count("<tr") == 4
    assert f'href="/surveys/{NAME}#bad-rows">1</a>' in text


def test_the_list_is_cut_into_pages_that_lead_from_the_newest_to_the_oldest(site: Site) -> None:
    first = datetime(2025, 1, 1, tzinfo=UTC)
    names = [
        f"abalone.{first + timedelta(hours=7 * number):%Y%m%d%H%M%S}"
        for number in range(SHOWN_FILES + 3)
    ]
    for name in names:
        (site.zone.folder / name).write_text(GOOD_ROW)
    newest = site.text("/surveys")
    assert newest.count('href="/surveys/abalone.') == SHOWN_FILES
    assert f'href="/surveys?before={names[3]}"' in newest
    oldest = site.text(f"/surveys?before={names[3]}")
    assert [name in oldest for name in names[:5]] == [True, True, True, False, False]
    assert "Newest" in oldest
    assert "Older" not in oldest
    assert site.get("/surveys?before=nonsense").status_code == 400


def test_those_with_something_to_read_can_be_picked_out(site: Site) -> None:
    site.land(NAME, GOOD_ROW)
    site.land("abalone.20250401061500", GOOD_ROW + BAD)
    text = site.text("/surveys?show=remarkable")
    assert "abalone.20250401061500" in text
    assert f"{NAME}<" not in text


def test_without_files_it_says_how_the_first_one_lands(site: Site) -> None:
    text = site.text("/surveys")
    assert "None has landed yet" in text
    assert "abalone land FILE" in text


def test_what_is_no_survey_is_listed_with_the_reason(site: Site) -> None:
    (site.zone.folder / "notes <b>.txt").write_text("hello")
    text = site.text("/surveys")
    assert "notes &lt;b&gt;.txt" in text
    assert "call it abalone.YYYYMMDDHHMMSS" in text
    page = site.text("/surveys/notes%20%3Cb%3E.txt")
    assert '<h1 class="name">notes &lt;b&gt;.txt</h1>' in page


@pytest.mark.parametrize(
    ("what", "place"),
    [
        (NAME, f"/surveys/{NAME}"),
        (f" {NAME} ", f"/surveys/{NAME}"),
        ("2025-03-14", "/surveys?day=2025-03-14#files"),
        ("20250314", "/surveys/20250314"),
        ("2025-W11-5", "/surveys/2025-W11-5"),
        ("../x y", "/surveys/..%2Fx%20y"),
        ("//evil.example", "/surveys/%2F%2Fevil.example"),
        ("", "/surveys"),
    ],
)
def test_a_file_or_a_day_is_found(site: Site, what: str, place: str) -> None:
    response = site.client.get("/surveys/find", params={"what": what})
    assert (response.status_code, response.headers["location"]) == (303, place)


def test_a_day_lists_its_own_files_and_no_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("20250313061500", "20250314061500", "20250314091500", "20250315061500"):
        site.land(f"abalone.{name}", GOOD_ROW)
    page = site.text("/surveys?day=2025-03-14")
    assert "Files of 2025-03-14, newest first" in page
    assert re.findall(r">abalone\.(\d+)</a>", page) == ["20250314091500", "20250314061500"]
    assert 'href="/surveys?before=abalone.20250314000000#files">Files of earlier days' in page
    earlier = site.text("/surveys?before=abalone.20250314000000")
    assert re.findall(r">abalone\.(\d+)</a>", earlier) == ["20250313061500"]
    assert "There is no survey of 2025-03-20." in site.text("/surveys?day=2025-03-20")
    for other in ("yesterday", "20250314", "2025-W11-5"):
        answer = site.get(f"/surveys?day={other}")
        assert (answer.status_code, "is no day" in answer.text) == (400, True)
    assert "A day is written as 2025-03-14." in site.get("/surveys/20250314").text
    monkeypatch.setattr("abalone_assets.pages.surveys.page.SHOWN_FILES", 1)
    first = site.text("/surveys?day=2025-03-14")
    assert 'href="/surveys?before=abalone.20250314091500&amp;day=2025-03-14"' in first
    second = site.text("/surveys?before=abalone.20250314091500&day=2025-03-14")
    assert re.findall(r">abalone\.(\d+)</a>", second) == ["20250314061500"]
    assert 'href="/surveys?day=2025-03-14">Newest' in second


def test_a_file_that_went_away_says_why_its_rows_are_still_there(site: Site) -> None:
    other = "abalone.20250315061500"
    for name in (NAME, other):
        site.land(name, GOOD_ROW)
    (site.zone.folder / NAME).unlink()
    assert "the next ingestion of its day takes its rows out" in site.text("/surveys")
    (site.zone.folder / other).unlink()
    assert site.text("/surveys").count("the lake keeps its rows until the files are back") == 2


def test_a_files_page_has_its_bad_rows_with_line_column_reason_and_text(site: Site) -> None:
    site.land(NAME, GOOD_ROW + BAD + 'M,"a ""<i>quote</i>""",1\n')
    text = site.text(f"/surveys/{NAME}")
    assert "<dt>rows taken in</dt><dd>1</dd>" in text
    assert "<dt>bad rows</dt><dd>2</dd>" in text
    assert 'data-label="line">2</td>' in text
    assert 'data-label="column">sex</td>' in text
    assert "sex is &#39;&lt;b&gt;bold&lt;/b&gt;&#39;" in text
    assert "<code>&lt;b&gt;bold&lt;/b&gt;,0.455" in text
    assert "&lt;i&gt;quote&lt;/i&gt;" in text
    assert MARKUP not in text
    assert "<i>" not in text


def test_a_file_with_very_many_bad_rows_shows_the_first_and_says_how_many_more(
    site: Site,
) -> None:
    bad = SHOWN_ROWS + 5
    site.land(NAME, GOOD_ROW * 5 * bad + BAD * bad)
    text = site.text(f"/surveys/{NAME}")
    assert text.count('data-label="line"') == SHOWN_ROWS
    assert "and 5 more: the file with its bad rows marked has all of them." in text
    (site.zone.folder / NAME).unlink()  # so that there is nothing to mark
    assert '<p class="quiet">and 5 more.</p>' in site.text(f"/surveys/{NAME}")


def test_a_refused_file_names_the_rows_it_is_refused_for(site: Site) -> None:
    site.land(NAME, GOOD_ROW + BAD * 9)
    text = site.text(f"/surveys/{NAME}")
    assert "refused" in text
    assert text.count('data-label="line"') == 9
    assert "<dt>bad rows</dt><dd>9, for which the whole file was refused</dd>" in text
    marked = site.get(f"/surveys/{NAME}/marked").text
    assert marked.count("sex is") == 9


def test_of_a_refused_file_with_very_many_bad_rows_it_says_how_many_more(site: Site) -> None:
    site.land(NAME, GOOD_ROW + BAD * (SHOWN_ROWS + 5))
    text = site.text(f"/surveys/{NAME}")
    assert text.count('data-label="line"') == SHOWN_ROWS
    assert f"<dt>bad rows</dt><dd>{SHOWN_ROWS + 5}, for which" in text
    assert "and 5 more" in text


def test_a_file_that_is_none_at_all_tells_of_no_bad_rows(site: Site) -> None:
    site.land(NAME, "PK\x03\x04" + "\0" * 60)
    assert "<dt>bad rows" not in site.text(f"/surveys/{NAME}")


def test_a_held_file_says_what_to_do(site: Site) -> None:
    rows = Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"]).file().decode()
    site.land(NAME, rows)
    text = site.text(f"/surveys/{NAME}")
    assert "as if weights were in kilograms" in text
    assert f"abalone accept {NAME}" in text


def test_the_download_has_the_bad_rows_marked_and_the_mended_file_is_a_survey(site: Site) -> None:
    rows = survey_rows(12).decode().splitlines(keepends=True)
    site.land(NAME, "".join([*rows[:6], BAD, *rows[6:]]))
    response = site.get(f"/surveys/{NAME}/marked")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == (
        f"attachment; filename=\"{NAME}.marked.csv\"; filename*=UTF-8''{NAME}.marked.csv"
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    marks = [record[0] for record in csv.reader(io.StringIO(response.text))]
    assert marks[0] == "problem"
    assert [bool(mark) for mark in marks[1:]] == [False] * 6 + [True] + [False] * 6
    mended = response.text.replace(MARKUP, "M")
    survey = parse_survey(mended.encode(), NAME)
    assert (survey.row_count, survey.quarantined) == (13, [])


def test_a_file_downloads_as_it_landed(site: Site) -> None:
    site.land(NAME, GOOD_ROW + BAD)
    assert site.get(f"/surveys/{NAME}/original").text == GOOD_ROW + BAD


def test_a_file_that_changed_since_has_no_marks_of_before(site: Site) -> None:
    site.land(NAME, GOOD_ROW + BAD)
    site.land(NAME, GOOD_ROW, ingested=False)
    assert site.get(f"/surveys/{NAME}/marked").status_code == 409
    assert "Download with the bad rows marked" not in site.text(f"/surveys/{NAME}")
    (site.zone.folder / NAME).unlink()
    assert site.get(f"/surveys/{NAME}/original").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        f"/surveys/{NAME}",
        "/surveys/..%2f..%2fetc%2fpasswd",
        f"/surveys/{NAME}/original",
        "/surveys/x/marked",
    ],
)
def test_what_is_nowhere_is_a_page_that_says_so(site: Site, path: str) -> None:
    response = site.get(path)
    assert response.status_code == 404
    assert "<h1>Not Found</h1>" in response.text
    assert "There is no file " in response.text or "There is no page at this" in response.text
    assert 'Go on at <a href="/">Age Calculator</a>, <a href="/surveys">' in response.text
    assert str(site.home) not in response.text


def test_nothing_but_surveys_is_downloaded(site: Site) -> None:
    (site.zone.folder / "secrets.txt").write_text("hush")
    assert site.get("/surveys/secrets.txt/original").status_code == 404


def test_a_released_file_leads_to_its_version(site: Site) -> None:
    site.land(NAME, GOOD_ROW)
    record_released_files(site.lake.store, site.lake.manifest())
    site.registry.register(
        b"archive",
        evaluation={"rmse": 2.1},
        decision={"approved": True, "reason": "good", "rule": ""},
        release_digest=site.lake.manifest().digest,
    )
    assert '<a href="/models/1">version 1</a>' in site.text("/surveys")
    page = site.text(f"/surveys/{NAME}")
    assert 'first in <a href="/models/1">version 1</a>, approved by the gate' in page


def test_a_landing_zone_that_went_away_is_a_page_that_says_so(site: Site) -> None:
    site.zone.folder.rmdir()
    response = site.get("/surveys")
    assert response.status_code == 503
    assert "cannot read the landing zone" in response.text


def test_a_landing_zone_that_is_mounted_after_the_start_has_its_pages(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "share"
    monkeypatch.setenv("ABALONE_LANDING_ZONE_URI", str(share))
    site = Site.of(home)
    assert 'href="/surveys"' in site.text("/")
    response = site.get("/surveys")
    assert (response.status_code, "cannot read the landing zone" in response.text) == (503, True)
    share.mkdir()
    (share / NAME).write_text(GOOD_ROW)
    assert f'href="/surveys/{NAME}"' in site.text("/surveys")


@pytest.mark.parametrize("variable", ["ABALONE_HOME", "ABALONE_LANDING_ZONE_URI"])
def test_a_landing_zone_that_nobody_can_look_into_ends_no_server(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for store in ("LAKE", "REGISTRY"):
        monkeypatch.setenv(f"ABALONE_{store}_URI", str(home / store.lower()))
    monkeypatch.setenv(variable, str(out_of_reach(tmp_path)))
    response = Site.of(home).get("/surveys")
    assert (response.status_code, WHY in response.text) == (503, True)


def test_a_lake_that_nobody_can_look_into_is_a_page_that_says_so(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_LAKE_URI", str(out_of_reach(tmp_path)))
    site = Site.of(home)
    for path in ("/surveys", f"/surveys/{NAME}", "/reports", "/drift"):
        response = site.get(path)
        assert response.status_code == 503, path
        assert "cannot look into this folder" in response.text


def test_where_there_is_no_landing_zone_there_are_no_such_pages(home: Path) -> None:
    (home / "landing_zone").rmdir()
    site = Site.of(home)
    assert site.get("/surveys").status_code == 404
    assert "Surveys" not in site.text("/reports")


def test_the_pages_are_in_the_openapi_document(site: Site) -> None:
    document = site.get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    assert {"/surveys/{name}/marked", "/surveys/upload/{key}", "/models/{version}"} <= {
        *document["paths"]
    }
