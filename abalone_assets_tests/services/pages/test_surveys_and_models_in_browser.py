"""A crew's file on its way in, and two versions beside each other, as people see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.released_files import record_released_files
from abalone_assets.lake.reports import Reports
from abalone_assets.registry.version_facts import DATA
from abalone_assets.sample_data import base_survey
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.serving.server import pages_of
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import ingest
from abalone_assets_tests.registry.compared import archive_of, write_splits
from abalone_assets_tests.serving.support import (
    ENDPOINT,
    RunningServer,
    new_registry,
    running_server,
)
from abalone_assets_tests.support.browser import (
    SCHEMES,
    TIMEOUT_MS,
    WIDTHS,
    chromium,
    opened,
    overflows,
    picture,
    screenshot,
    violations,
)
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from abalone_assets.registry.folder import FolderRegistry

pytestmark = pytest.mark.xdist_group("browser")

NAME, DAY = "abalone.20250610061500", "2025-06-10"
GATE = "Approved: on the same rows RMSE is 0.312 below champion version 1's."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def archives() -> list[bytes]:
    return [archive_of(rounds) for rounds in (1, 12)]


@pytest.fixture
def registry(home: Path, archives: list[bytes]) -> FolderRegistry:
    """Two versions, the first of which a person has rejected."""
    registry = new_registry(home)
    data = {"rows": 4844, "days": 5, "first_day": "2025-03-14", "last_day": "2025-08-19"}
    for number, archive in enumerate(archives, start=1):
        registry.register(
            archive,
            evaluation={
                "rmse": 2.5 - 0.3 * number,
                "rows": 209,
                "confidence": {"rmse": [2.3 - 0.3 * number, 2.7 - 0.3 * number]},
                "model_sha256": f"{number:064x}",
                DATA: data,
            },
            decision={"approved": True, "reason": GATE, "rule": "better_than_champion"},
            release_digest=Lake(str(home / "lake")).manifest().digest,
        )
    registry.reject(1, because="it knew <b>nothing</b> of old animals", by="ana")
    write_splits(Lake(str(home / "lake")))
    publish_pointer(registry.store, ENDPOINT, 2)
    return registry


@pytest.fixture
def live(home: Path, registry: FolderRegistry) -> Iterator[RunningServer]:
    monitored = pages_of(
        load_settings().model_copy(update={"endpoint_name": ENDPOINT}), registry, "127.0.0.1"
    )
    with running_server(registry, pages=monitored) as running:
        running.wait_for_version(2)
        yield running


def zone_of(home: Path) -> FolderLandingZone:
    return FolderLandingZone(home / "landing_zone")


def spreadsheet(home: Path) -> Path:
    """A crew's file as a spreadsheet exports it: a header, mm and g, two slips, markup in one."""
    names = "Sex,Length (mm),Diameter (mm),Height (mm),Whole (g),Shucked (g),Viscera (g),Shell (g)"
    lines = [f"{names},Rings"]
    for line in survey_rows(20).decode().splitlines():
        sex, *measured, rings = line.split(",")
        lines.append(",".join([sex, *(f"{float(each) * 200:.1f}" for each in measured), rings]))
    lines[4] = lines[4].replace(lines[4][0], "<b>X</b>", 1)
    lines[9] = lines[9].rpartition(",")[0] + ",nine"
    path = home.parent / "crew seven.csv"
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def choose(page: Page, path: Path) -> None:
    page.get_by_label("Survey file").set_input_files(path)
    page.get_by_label("When the survey was made").fill("2025-06-10T06:15:00")
    page.get_by_role("button", name="Check the file").click()


def test_a_crew_uploads_a_file_is_shown_its_bad_rows_mends_them_and_lands_it(
    browser: Browser, live: RunningServer, home: Path
) -> None:
    """Without scripts, so that it works where they are switched off."""
    context = browser.new_context(java_script_enabled=False, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(live.url)
    page.get_by_role("link", name="Surveys").click()
    page.get_by_role("link", name="Upload a survey").click()
    choose(page, spreadsheet(home))

    page.get_by_text("2 of its 20 rows cannot be used").wait_for()
    rows = page.get_by_role("region", name="Bad rows").get_by_role("row")
    assert rows.count() == 3
    assert rows.nth(1).get_by_role("cell").all_inner_texts()[:3] == [
        "5",
        "sex",
        "sex is '<b>X</b>'; it must be one of M, F, I",
    ]
    assert "rings is 'nine'" in rows.nth(2).inner_text()
    assert list(zone_of(home).list_names()) == []

    with page.expect_download() as download:
        page.get_by_role("link", name="Download with the bad rows marked").click()
    marked = download.value.path().read_text()
    assert marked.startswith("problem,Sex,Length (mm)")
    assert marked.count("must be") == 2
    mended = home.parent / "mended.csv"
    mended.write_text(marked.replace("<b>X</b>,", "M,").replace(",nine", ",9"))

    page.get_by_role("link", name="Upload the mended file").click()
    choose(page, mended)
    page.get_by_text("All 20 rows can be used").wait_for()
    page.get_by_role("button", name="Land it").click()
    page.get_by_text("It has landed. While").wait_for()
    page.get_by_text("waits to be taken in").wait_for()
    assert list(zone_of(home).list_names()) == [NAME]

    ingest(home, DAY)
    lake = Lake(str(home / "lake"))
    record_released_files(lake.store, lake.manifest())
    page.goto(f"{live.url}/surveys")
    row = page.get_by_role("row").filter(has_text=NAME)
    assert "taken in" in row.inner_text()
    assert row.get_by_role("cell").nth(1).inner_text() == "20"
    context.close()


def test_a_file_in_mm_and_g_that_says_nothing_is_read_once_its_units_are_chosen(
    browser: Browser, live: RunningServer, home: Path
) -> None:
    path = spreadsheet(home)
    plain = "Sex,Length,Diameter,Height,Whole,Shucked,Viscera,Shell,Rings"
    lines = [plain, *path.read_text().splitlines()[1:]]
    path.write_text("\r\n".join([*lines[:4], *lines[5:9], *lines[10:]]) + "\r\n")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(f"{live.url}/surveys/upload")
    assert not violations(page)
    choose(page, path)
    page.get_by_text("It cannot land like this").wait_for()
    page.get_by_text("Its numbers look like millimetres and grams").wait_for()
    assert page.get_by_label("Units").input_value() == "mm-g"
    assert not violations(page)
    page.get_by_role("button", name="Check again").click()
    page.get_by_text("All 18 rows can be used").wait_for()
    page.get_by_role("button", name="Land it").click()
    page.get_by_text("It has landed. While").wait_for()
    first = zone_of(home).read(NAME).decode().splitlines()[0]
    assert first == "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15"
    page.close()


def test_animals_without_rings_are_uploaded_by_the_choice_at_the_top(
    browser: Browser, live: RunningServer, home: Path
) -> None:
    lines = [line.rpartition(",")[0] for line in survey_rows(20).decode().splitlines()]
    path = home / "no rings.csv"
    path.write_text("\n".join(lines) + "\n")
    with opened(browser, f"{live.url}/surveys/upload", width=390) as page:
        choose(page, path)
        page.get_by_text("animals whose rings nobody counted").wait_for()
        page.get_by_label("Ring counts").select_option("not counted: the live model tells the ages")
        page.get_by_role("button", name="Check again").click()
        page.get_by_text("All 20 rows can be used").wait_for()
        assert page.get_by_label("Ring counts").input_value() == "none"
        assert not violations(page)
        page.get_by_role("button", name="Land it").click()
        page.get_by_text("its ages are here within seconds").wait_for()
        assert not violations(page)
    assert zone_of(home).read("animals.20250610061500") == path.read_bytes()


def test_an_engineer_compares_two_versions(browser: Browser, live: RunningServer) -> None:
    with opened(browser, live.url) as page:
        page.get_by_role("link", name="Models").click()
        rows = page.get_by_role("row")
        first = rows.filter(has=page.get_by_role("link", name="version 1"))
        first.get_by_text("rejected by ana", exact=True).wait_for()
        second = rows.filter(has=page.get_by_role("link", name="version 2"))
        second.get_by_text("live", exact=True).wait_for()
        page.get_by_role("button", name="Compare").click()
        page.get_by_text("Version 2 is better, by").wait_for()
        everyone = page.get_by_role("row", name="all").first
        assert everyone.get_by_role("cell").first.inner_text() == "600"
        page.get_by_role("link", name="version 1").click()
        page.get_by_role("heading", name="Version 1", exact=True).wait_for()
        page.get_by_text("it knew <b>nothing</b> of old animals").first.wait_for()


def test_the_pages_suit_everybody_on_phone_and_desktop_light_and_dark(
    browser: Browser, live: RunningServer, home: Path
) -> None:
    zone = zone_of(home)
    bad = survey_rows(30).decode().replace("M,", "<b>X</b>,", 2)
    kilograms = Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"]).file()
    for day, content in {"08": bad.encode(), "09": kilograms, "10": survey_rows(12)}.items():
        zone.land(f"abalone.202506{day}061500", content)
        ingest(home, f"2025-06-{day}")
    (zone.folder / "notes.txt").write_text("hello")
    (zone.folder / "abalone.20250611061500").write_bytes(b"\0")
    ingest(home, "2025-06-11")
    with opened(browser, f"{live.url}/surveys/upload") as page:
        choose(page, spreadsheet(home))
        page.get_by_text("cannot be used").wait_for()
        check = page.url.removeprefix(live.url)
    reports = Reports(Lake(str(home / "lake")).store)
    for digest in (f"{1:064x}", f"{2:064x}", "c" * 64):
        reports.keep(digest, b"<!doctype html><title>Report</title>")
    pages = {
        "surveys": "/surveys",
        "day": "/surveys?day=2025-06-08",
        "no-such-file": "/surveys/abalone.20250101000000",
        "reports": "/reports",
        "survey": "/surveys/abalone.20250608061500",
        "held-survey": "/surveys/abalone.20250609061500",
        "upload": "/surveys/upload",
        "upload-check": check,
        "models": "/models",
        "model": "/models/2",
        "comparison": "/models/compare?one=1&other=2",
    }
    found: list[object] = []
    for name, path in pages.items():
        for width in WIDTHS:
            for scheme in SCHEMES:
                with opened(browser, live.url + path, width=width, scheme=scheme) as page:
                    picture(page, f"{name}-{width}-{scheme}")
                    if overflows(page) or (amiss := violations(page)):
                        found.append(
                            (name, width, scheme, "overflows" if overflows(page) else amiss)
                        )
                    if (name, width, scheme) == ("surveys", 1440, "light"):
                        screenshot(page, "surveys")
                    if (name, width, scheme) == ("comparison", 1440, "light"):
                        screenshot(page, "comparison")
    assert found == []
