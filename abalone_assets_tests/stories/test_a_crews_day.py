"""A crew's day: from a spreadsheet with slips to a model that learnt from it, told by mail.

Everything runs as a user starts it, and whatever a person does is done on the pages, by a browser
that knows their labels.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.support.browser import TIMEOUT_MS, chromium
from abalone_assets_tests.support.inbox import Mailbox, mailbox, text_of
from abalone_assets_tests.support.platform import small_base, survey_rows
from abalone_assets_tests.support.quick_daemon import quick_daemon
from abalone_assets_tests.support.stack import Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.xdist_group("crew")

AT = (datetime.now(UTC) - timedelta(days=1)).replace(hour=6, minute=15, second=0, microsecond=0)
NAME, DAY = f"abalone.{AT:%Y%m%d%H%M%S}", AT.date().isoformat()
UNAGED = f"animals.{AT:%Y%m%d%H%M%S}"
NAMES = (
    "Sex;Length (mm);Diameter (mm);Height (mm);Whole (g);Shucked (g);Viscera (g);Shell (g);Rings"
)
ROWS = 24
SLIPS = 16


@pytest.fixture(scope="module")
def box() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, box: Mailbox) -> Iterator[Stack]:
    """``abalone dev`` on a home whose base survey is released, with somebody to tell."""
    folder = tmp_path_factory.mktemp("crew")
    environ = {
        **{f"ABALONE_{name}": value for name, value in small_base(folder).items()},
        **quick_daemon(),
        "ABALONE_SENSOR_SECONDS": "2",
        "ABALONE_NOTIFY": box.url,
        "ABALONE_GATE_CHAMPION_TOLERANCE": "10",  # made-up rows make no better model
        "ABALONE_GATE_SLICE_TOLERANCE": "10",
    }
    (folder / "home" / "landing_zone").mkdir(parents=True)
    with running_stack(folder / "home", environ) as stack:
        stack.await_release()
        stack.await_(lambda: stack.live_version() is not None, "the first model")
        yield stack


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium() as browser:
        context = browser.new_context(accept_downloads=True)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        yield page
        context.close()


def spreadsheet(path: Path) -> Path:
    """What Excel saves as CSV where decimals have a comma: rings of most animals have a unit."""
    lines = [NAMES]
    for number, line in enumerate(survey_rows(ROWS, seed=7).decode().splitlines()):
        sex, *measured, rings = line.split(",")
        cells = [f"{float(each) * 200:.1f}".replace(".", ",") for each in measured]
        lines.append(";".join([sex, *cells, f"{rings} rings" if number < SLIPS else rings]))
    path.write_bytes(b"\xef\xbb\xbf" + ("\r\n".join(lines) + "\r\n").encode())
    return path


def uncounted(path: Path, good: int) -> Path:
    """The spreadsheet without the rings; all rows but the first good ones lack their length."""
    lines = [line.rpartition(";")[0] for line in spreadsheet(path).read_text("utf-8").splitlines()]
    for at in range(1 + good, len(lines)):
        lines[at] = f"{lines[at][:2]}none{lines[at][lines[at].index(';', 2) :]}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def check(page: Page, path: Path) -> None:
    """Upload a file and have it checked."""
    page.get_by_label("Survey file").set_input_files(path)
    page.get_by_label("When the survey was made").fill(f"{AT:%Y-%m-%dT%H:%M:%S}")
    page.get_by_role("button", name="Check the file").click()


def mended(page: Page, path: Path, count: int) -> Path:
    """The file with its bad rows marked, as it was downloaded, with the first of them mended."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download with the bad rows marked").click()
    text = download.value.path().read_text("utf-8")
    assert "must be" in text
    path.write_text(text.replace(" rings\n", "\n", count))
    return path


def test_a_spreadsheet_with_slips_ends_in_the_model_and_its_crew_is_told(
    stack: Stack, page: Page, box: Mailbox, tmp_path: Path
) -> None:
    first = stack.live_version()
    page.goto(stack.endpoint_url)
    page.get_by_role("link", name="Surveys").click()
    page.get_by_role("link", name="Upload the first one").click()

    # Refused: most of its rows are bad, and the page says which and why.
    check(page, spreadsheet(tmp_path / "crew seven.csv"))
    page.get_by_text("It cannot land like this.").wait_for()
    bad = page.get_by_role("region", name="Bad rows").get_by_role("row")
    assert bad.count() == 1 + SLIPS
    assert " rings'; it must be a whole number" in bad.nth(1).inner_text()

    # Mended in a hurry, it lands without the rows that are still bad: which somebody is told.
    better = mended(page, tmp_path / "mended.csv", SLIPS - 4)
    page.get_by_role("link", name="Upload the mended file").click()
    check(page, better)
    page.get_by_text(f"4 of its {ROWS} rows cannot be used").wait_for()
    worse = mended(page, tmp_path / "mended again.csv", 4)
    page.get_by_role("button", name="Land it, without the bad rows").click()
    page.get_by_text("It has landed.").wait_for()
    lost = f"abalone: {NAME} lost 4 of {ROWS} rows"
    stack.await_(lambda: lost in box.subjects, "the mail about the rows that were lost")

    # Mended for good, it replaces that, is released, and the matter is over.
    page.goto(f"{stack.endpoint_url}/surveys/upload")
    check(page, worse)
    page.get_by_text(f"All {ROWS} rows can be used").wait_for()
    page.get_by_label("Replace it with this one").check()
    page.get_by_role("button", name="Replace", exact=True).click()
    page.get_by_text("It has landed.").wait_for()
    over = f"abalone: over: {NAME} lost 4 of {ROWS} rows"
    stack.await_(lambda: over in box.subjects, "the mail that it is over")
    stack.await_release()
    manifest = stack.lake.manifest()
    assert (manifest.rows_of(DAY), manifest.summaries[DAY].quarantined) == (ROWS, 0)

    # Both pages say so.
    page.goto(f"{stack.endpoint_url}/surveys")
    row = page.get_by_role("row").filter(has_text=NAME)
    assert "taken in" in row.inner_text()
    assert row.get_by_role("cell").nth(1).inner_text() == str(ROWS)
    row.get_by_role("link", name="version").click()
    page.get_by_role("heading", name="Version", exact=False).first.wait_for()
    live = stack.live_version()
    assert live != first
    page.get_by_role("link", name="Models", exact=True).click()
    newest = page.get_by_role("row").filter(has=page.get_by_role("link", name=f"version {live}"))
    newest.get_by_text("live", exact=True).wait_for()
    newest.get_by_text("1 survey day").wait_for()

    # Each matter once, and once more when it was over.
    assert [each for each in box.subjects if NAME in each] == [lost, over]
    (message,) = [each for each in box.messages if each["Subject"] == lost]
    assert "17 % of its rows break the survey contract." in text_of(message)


def test_animals_without_rings_are_aged_and_whoever_sent_them_wrong_is_told(
    stack: Stack, page: Page, box: Mailbox, tmp_path: Path
) -> None:
    live = stack.live_version()

    # Nobody counted the rings. Too few of their rows can be used, which is mailed.
    (stack.home / "landing_zone" / UNAGED).write_bytes(
        uncounted(tmp_path / "b.csv", 0).read_bytes()
    )
    refused = f"abalone: {UNAGED} cannot be aged"
    stack.await_(lambda: refused in box.subjects, "the mail about the animals that were refused")

    # Uploaded right, they replace these, and the live model tells their ages.
    page.goto(f"{stack.endpoint_url}/surveys/upload")
    page.get_by_label("Ring counts").select_option("not counted: the live model tells the ages")
    check(page, uncounted(tmp_path / "no rings.csv", ROWS))
    page.get_by_text(f"All {ROWS} rows can be used").wait_for()
    page.get_by_label("Replace it with this one").check()
    page.get_by_role("button", name="Replace", exact=True).click()
    page.get_by_text("its ages are here within seconds").wait_for()
    ages = stack.home / "landing_zone" / "aged" / f"{UNAGED}.csv"
    stack.await_(ages.exists, "the ages")
    stack.await_(
        lambda: f"abalone: over: {UNAGED} cannot be aged" in box.subjects, "its end, by mail"
    )
    page.goto(f"{stack.endpoint_url}/surveys")
    row = page.get_by_role("row").filter(has_text=UNAGED)
    with page.expect_download() as download:
        row.get_by_role("link", name=f"Ages of {UNAGED}").click()
    told = list(csv.DictReader(download.value.path().read_text("utf-8").splitlines()))
    assert [each["model_version"] for each in told] == [str(live)] * ROWS
    for each in told:
        assert float(each["age_years"]) == pytest.approx(float(each["rings"]) + 1.5)
    assert stack.live_version() == live  # nothing was learnt from them
