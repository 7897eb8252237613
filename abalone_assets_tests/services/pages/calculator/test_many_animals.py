"""Many animals are pasted or come as a file, and their ages are a table and a download."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abalone_assets.survey.units import LENGTH_UNITS, WEIGHT_UNITS
from abalone_assets_tests.cli.support import abalone
from abalone_assets_tests.services.pages.calculator.person import (
    LINES,
    MEASURED,
    TELL_ALL,
    asked_by_program,
    held_requests,
    pasted,
    tell,
)
from abalone_assets_tests.serving.support import ENDPOINT, RunningServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.xdist_group("browser")

AGES = re.compile(r"/ages\?")
NAMES = [label.lower() for label in MEASURED]


def with_point(number: str) -> float:
    return float(number.replace(",", "."))


def test_a_thousand_pasted_animals_are_a_table_and_a_download(
    page: Page, live: RunningServer, tmp_path: Path
) -> None:
    lines = pasted(1000)
    page.get_by_label(LINES).fill("\n".join(lines))
    page.get_by_role("button", name=TELL_ALL).click()
    page.get_by_text("1,000 animals aged by model version 1.").wait_for()
    table = page.get_by_role("region", name="Ages").get_by_role("table")
    assert table.get_by_role("row").count() == 1001
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert download.value.suggested_filename == "ages-model-1.csv"
    download.value.save_as(tmp_path / "ages.csv")
    with (tmp_path / "ages.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1000
    assert all(None not in row for row in rows)  # what is said is one field, whatever its commas
    assert any("An old animal" in row["not_to_be_trusted"] for row in rows)
    assert ",".join(list(rows[499].values())[1:9]) == lines[499]
    sex, *measured = lines[499].split(",")
    told = asked_by_program(live, ",".join([sex, *(str(float(each) / 200) for each in measured)]))
    assert float(rows[499]["rings"]) == told["rings"]
    assert float(rows[499]["age_high"]) == pytest.approx(told["rings_high"] + 1.5)
    assert rows[499]["model_version"] == "1"


def test_of_more_animals_than_are_shown_the_download_has_all(page: Page) -> None:
    page.get_by_label(LINES).fill("\n".join(pasted(1001)))
    page.get_by_role("button", name=TELL_ALL).click()
    page.get_by_text("The first 1,000 are shown; the download has all.").wait_for()
    table = page.get_by_role("region", name="Ages").get_by_role("table")
    assert table.get_by_role("row").count() == 1001
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 1002


def test_a_file_that_is_too_large_is_not_even_sent(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "all.csv"
    file.write_bytes(b"M\n" * 2_200_000)
    page.get_by_label("Choose a CSV file").set_input_files(file)
    page.get_by_text("This file is too large for the page").wait_for()


def test_a_file_is_chosen_and_its_bad_lines_are_told(page: Page, tmp_path: Path) -> None:
    markup = "<img src=x onerror=alert(1)>"
    file = tmp_path / "crew.csv"
    file.write_text("\n".join([*pasted(5), f"{markup},91,73,19,102,44,20,30", "M,91"]))
    page.get_by_label("Choose a CSV file").set_input_files(file)
    page.get_by_text("5 animals aged by model version 1. 2 lines are no animals.").wait_for()
    bad = page.get_by_role("region", name="Lines that are no animals").get_by_role("row")
    assert bad.count() == 3
    assert markup in bad.nth(1).inner_text()
    assert "must be one of M, F, I" in bad.nth(1).inner_text()
    assert page.locator("img[src=x]").count() == 0


def test_of_very_many_bad_lines_the_first_are_shown_in_little_room(page: Page) -> None:
    page.get_by_label(LINES).fill("\n".join([*pasted(1), *["M,91"] * 1003]))
    page.get_by_role("button", name=TELL_ALL).click()
    page.get_by_text("1,003 lines are no animals.").wait_for()
    page.get_by_text("The first 1,000 are shown; there are 3 more.").wait_for()
    region = page.get_by_role("region", name="Lines that are no animals")
    assert region.get_by_role("row").count() == 1001
    place = region.bounding_box()
    assert place is not None
    assert place["height"] < 600
    page.get_by_label(LINES).fill("\n".join(["M,91"] * 2))
    page.get_by_role("button", name=TELL_ALL).click()
    page.get_by_text("0 animals aged by model version 1. 2 lines are no animals.").wait_for()
    assert not page.get_by_text("there are 3 more").is_visible()
    assert not page.get_by_role("region", name="Ages").is_visible()


def test_a_crews_own_columns_go_along_and_its_header_tells_the_units(
    page: Page, tmp_path: Path
) -> None:
    file = tmp_path / "crew.csv"
    file.write_text(
        "\ufeffTag;Shell weight (g);LENGTH (mm);Diameter (mm);Height (mm);Whole weight (g);"
        "Shucked weight (g);Viscera weight (g);sex\r\n"
        "A<b>7</b>;30;91;73;19;102,8;44,9;20,2;m\r\n"
    )
    page.get_by_label("The survey's: mm / 200").check()
    page.get_by_label("Choose a CSV file").set_input_files(file)
    page.get_by_text("1 animal aged by model version 1.").wait_for()
    table = page.get_by_role("region", name="Ages").get_by_role("table")
    names = table.get_by_role("columnheader").all_inner_texts()
    told = dict(zip(names, table.get_by_role("cell").all_inner_texts(), strict=True))
    assert (told["Tag"], told["length (mm)"], told["whole weight (g)"]) == (
        *("A<b>7</b>", "91"),
        "102.8",
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    head, row = Path(download.value.path()).read_text().splitlines()
    assert head.startswith("line,Tag,sex,length (mm)")
    assert row.startswith("2,A<b>7</b>,m,91,73,19,102.8,")


@pytest.mark.parametrize(
    ("length", "weight"), [("cm", "g"), ("mm", "kg"), ("in", "lb"), ("mm / 200", "g / 200")]
)
def test_a_pasted_header_may_tell_any_units(page: Page, length: str, weight: str) -> None:
    """Also those that the page's own switch does not have."""
    units = {unit.symbol: unit for unit in (*LENGTH_UNITS, *WEIGHT_UNITS)}
    told = [weight if name.endswith("weight") else length for name in NAMES]
    heads = [f"{name} ({unit})" for name, unit in zip(NAMES, told, strict=True)]
    values = [
        f"{float(value) / units[unit].size:.9g}"
        for value, unit in zip(MEASURED.values(), told, strict=True)
    ]
    age = tell(page, MEASURED).split()[0]
    page.get_by_label(LINES).fill("\n".join([",".join(["sex", *heads]), ",".join(["F", *values])]))
    page.get_by_role("button", name=TELL_ALL).click()
    page.get_by_text("1 animal aged by model version 1.").wait_for()
    table = page.get_by_role("region", name="Ages").get_by_role("table")
    assert table.get_by_role("columnheader").all_inner_texts()[-8:] == ["sex", *heads]
    shown = table.get_by_role("cell").all_inner_texts()
    assert [shown[1], *shown[-8:]] == [age, "F", *values]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    head, row = Path(download.value.path()).read_text().splitlines()
    assert ",".join(["sex", *heads]) in head.replace("_weight", " weight")
    assert ",".join(["F", *values]) in row


def test_an_answer_that_cannot_be_shown_is_told(browser: Browser, live: RunningServer) -> None:
    page = browser.new_page()
    page.route(AGES, lambda route: route.fulfill(json={}))
    with page.expect_event("pageerror"):
        page.goto(live.url)
        page.get_by_text("Version 1.").wait_for()
        page.get_by_label(LINES).fill(pasted(1)[0])
        page.get_by_role("button", name=TELL_ALL).click()
    page.get_by_role("alert").get_by_text("This page failed to show the ages").wait_for()
    page.close()


def test_the_download_has_decimal_commas_where_spreadsheets_want_them(
    page: Page,
    live: RunningServer,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As `abalone predict --decimal-comma` writes them, which is what a German Excel opens."""
    file = tmp_path / "crew.csv"
    file.write_text(
        "Tag;sex;length (mm);diameter (mm);height (mm);whole weight (g);shucked weight (g);"
        "viscera weight (g);shell weight (g)\n"
        'a.1;M;91;73;19;102,8;44,9;20,2;30\n"b;2";F;140;110;55;330;110;70;170\n'
    )
    page.get_by_label("Choose a CSV file").set_input_files(file)
    page.get_by_text("2 animals aged by model version 1.").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="… with decimal commas").click()
    data = Path(download.value.path()).read_bytes()
    ages = tmp_path / "ages.csv"
    monkeypatch.setenv("ABALONE_ENDPOINT_NAME", ENDPOINT)
    options = ("--decimal-comma", "--url", live.url)
    assert abalone("predict", *options, "--output", ages, file).exit_code == 0
    both = (data, ages.read_bytes())
    assert [(each[:3], b"\r" in each) for each in both] == [(b"\xef\xbb\xbf", False)] * 2
    by_page, by_command = (
        list(csv.reader(each.decode("utf-8-sig").splitlines(), delimiter=";")) for each in both
    )
    assert [row[1] for row in by_page] == ["Tag", "a.1", "b;2"]
    for mine, its in zip(by_page[1:], by_command[1:], strict=True):
        assert mine[1:10] == its[:9]  # tag, sex, and the measurements as they were given
        named = dict(zip(by_page[0], mine, strict=True))
        told = [named[name] for name in ("rings", "rings_low", "rings_high", "age_years")]
        assert not any("." in each for each in [*told, *its[9:13]])
        assert list(map(with_point, told)) == list(map(with_point, its[9:13]))
    assert "An old animal" in by_page[2][-1]


def test_a_file_is_dropped(page: Page) -> None:
    dropped = page.evaluate_handle(
        """text => {
          const data = new DataTransfer();
          data.items.add(new File([text], "crew.csv", { type: "text/csv" }));
          return data;
        }""",
        "\n".join(pasted(3)),
    )
    page.get_by_role("region", name="Many animals").dispatch_event(
        "drop", {"dataTransfer": dropped}
    )
    page.get_by_text("3 animals aged by model version 1.").wait_for()


def test_of_two_files_the_later_one_is_shown(page: Page) -> None:
    held = held_requests(page, AGES)
    for animals in (2, 3):
        with page.expect_request(AGES):
            page.get_by_label(LINES).fill("\n".join(pasted(animals)))
            page.get_by_role("button", name=TELL_ALL).click()
    page.title()  # a request is held a moment after it is told of, and before this is answered
    for route in held[::-1]:
        with page.expect_response(AGES):
            route.continue_()
    page.get_by_text("3 animals aged by model version 1.").wait_for()


def test_a_crews_column_with_a_name_of_the_pages_own_is_told_apart(page: Page) -> None:
    """As `abalone predict` tells it apart."""
    crews = ["Line", "rings", "age_years", "model_version", "Tag"]
    page.get_by_label(LINES).fill(
        "\n".join([",".join(["sex", *NAMES, *crews]), f"{pasted(1)[0]},7,9,10.5,old,a"])
    )
    page.get_by_role("button", name=TELL_ALL).click()
    page.get_by_text("1 animal aged by model version 1.").wait_for()
    table = page.get_by_role("region", name="Ages").get_by_role("table")
    names = table.get_by_role("columnheader").all_inner_texts()
    shown = dict(zip(names, table.get_by_role("cell").all_inner_texts(), strict=True))
    assert len(shown) == len(names)
    assert (shown["line"], shown["given_Line"], shown["given_rings"]) == ("2", "7", "9")
    for name, separator in (("Download as CSV", ","), ("… with decimal commas", ";")):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        text = Path(download.value.path()).read_text("utf-8-sig")
        head, row = csv.reader(text.splitlines(), delimiter=separator)
        told = dict(zip(head, row, strict=True))
        assert len(told) == len(head)
        given = [f"given_{each}" for each in crews[:-1]]
        assert [told[each] for each in [*given, "Tag"]] == ["7", "9", "10.5", "old", "a"]
        assert told["model_version"] == "1"
