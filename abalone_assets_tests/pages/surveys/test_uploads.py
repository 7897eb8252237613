"""Uploading a survey: checked, shown, landed when confirmed; by whom, and how large."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from starlette.datastructures import UploadFile
from starlette.requests import Request

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.landing import check_files
from abalone_assets.pages.surveys import staged_uploads
from abalone_assets.pages.surveys.forms import FORM_BYTES, MAX_UPLOAD_BYTES
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.cli.support import GOOD_ROW
from abalone_assets_tests.pages.support import HERE, Site
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from pathlib import Path

    from httpx2 import Response

NAME = "abalone.20250314061500"
ROWS = survey_rows(12).decode()
BAD = "X,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"
TOKEN = "a token of the crew's own"


@pytest.fixture
def site(home: Path) -> Site:
    return Site.of(home)


def upload(site: Site, content: str | bytes, given_name: str = NAME, **fields: str) -> Response:
    return site.client.post("/surveys/upload", files={"file": (given_name, content)}, data=fields)


def staged(site: Site, content: str | bytes, given_name: str = NAME, **fields: str) -> str:
    """The address of what the check found."""
    response = upload(site, content, given_name, **fields)
    assert response.status_code == 303, response.text
    return response.headers["location"]


def confirm(site: Site, place: str, **fields: str) -> Response:
    return site.client.post(place.partition("?")[0], data=fields)


def landed(site: Site) -> dict[str, str]:
    return {path.name: path.read_text() for path in site.zone.folder.iterdir()}


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


def send(site: Site, body: bytes, **headers: str) -> Response:
    content = {"Content-Type": "multipart/form-data; boundary=b"}
    return site.client.post("/surveys/upload", content=body, headers=content | headers)


def field(name: str, value: str, more: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return f"{head}{value}\r\n".encode()


FILE = field("file", ROWS, f'; filename="{NAME}"')
END = b"--b--\r\n"


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


def test_a_token_that_is_set_is_asked_for_on_this_machine_too(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_UPLOAD_TOKEN", TOKEN)
    assert upload(Site.of(home), ROWS).status_code == 403


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


UNCOUNTED = "".join(f"{line.rpartition(',')[0]}\n" for line in ROWS.splitlines())
UNAGED = "animals.20250314061500"


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
