"""The Age Calculator as a person uses it, who knows its labels and nothing else."""

from __future__ import annotations

import csv
import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from abalone_assets.lake.reports import Reports
from abalone_assets.modeling.archive import read_card
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.serving.server import pages_of
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey.units import LENGTH_UNITS, WEIGHT_UNITS
from abalone_assets_tests.cli.support import abalone
from abalone_assets_tests.modeling.support import packed, quick_blend, quick_model, survey_frame
from abalone_assets_tests.serving.support import (
    ENDPOINT,
    RunningServer,
    new_registry,
    running_server,
)
from abalone_assets_tests.support.browser import (
    SCHEMES,
    WIDTHS,
    Scheme,
    chromium,
    opened,
    overflows,
    picture,
    screenshot,
    violations,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

    from abalone_assets.registry.folder import FolderRegistry

pytestmark = pytest.mark.xdist_group("browser")

MEASURED = {
    "Length": "112",
    "Diameter": "88",
    "Height": "30",
    "Whole weight": "210",
    "Shucked weight": "90",
    "Viscera weight": "45",
    "Shell weight": "60",
}
SURVEYED = [float(value) / 200 for value in MEASURED.values()]
OLD = dict(zip(MEASURED, ("140", "110", "55", "330", "110", "70", "170"), strict=True))
AGES = re.compile(r"/ages\?")
REPORT = b"<!doctype html><title>Report</title><h1>The report on version 1</h1>"
TELL, TELL_ALL = "Tell its age", "Tell their ages"
LINES = "Animals, one a line"
NAMES = [label.lower() for label in MEASURED]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Two versions of what a release trains, in little time."""
    folder = tmp_path_factory.mktemp("archives")
    models = (quick_blend(), quick_model())
    return [packed(model, folder / f"{n}").read_bytes() for n, model in enumerate(models)]


@pytest.fixture
def registry(archives: list[bytes], tmp_path: Path) -> FolderRegistry:
    registry = new_registry(tmp_path)
    for archive in archives:
        registry.register(
            archive,
            evaluation={
                "rmse": 2.0462,
                "rows": 209,
                "model_sha256": read_card(archive).model_sha256,
                "prediction_interval": {"wanted": 0.9, "coverage": 0.91},
            },
            decision={"approved": True, "reason": "good", "rule": "first_model"},
            release_digest="r",
        )
    return registry


@pytest.fixture
def live(registry: FolderRegistry, home: Path) -> Iterator[RunningServer]:
    """Version 1 answers, and there is a report on it, beside all the other pages."""
    publish_pointer(registry.store, ENDPOINT, 1)
    reports = Reports(ObjectStore(home / "lake"))
    reports.keep(registry.get(1).evaluation["model_sha256"], REPORT)
    settings = load_settings().model_copy(update={"endpoint_name": ENDPOINT})
    with running_server(registry, pages=pages_of(settings, registry, "127.0.0.1")) as running:
        running.wait_for_version(1)
        yield running


@pytest.fixture
def page(browser: Browser, live: RunningServer) -> Iterator[Page]:
    with opened(browser, live.url) as page:
        yield page


def fill_in(page: Page, measured: dict[str, str], sex: str = "Female") -> None:
    page.get_by_label(sex, exact=True).check()
    for label, value in measured.items():
        page.get_by_label(label).fill(value)


def tell(page: Page, measured: dict[str, str], sex: str = "Female") -> str:
    """Ask for an animal's age; what is said."""
    fill_in(page, measured, sex)
    page.get_by_role("button", name=TELL).click()
    said = page.get_by_role("status").filter(has_text="years old")
    said.wait_for()
    return said.inner_text()


def asked_by_program(live: RunningServer, line: str) -> dict[str, Any]:
    answer = requests.post(
        f"{live.url}/endpoints/{ENDPOINT}/invocations",
        data=line,
        headers={"Content-Type": "text/csv", "Accept": "application/json"},
        timeout=10,
    )
    (prediction,) = answer.json()["predictions"]
    return dict(prediction)


def pasted(count: int) -> list[str]:
    """Surveyed animals, in mm and g."""
    rows = survey_frame()[:count].drop(columns="rings").to_numpy().tolist()
    return [",".join([sex, *(f"{200 * each:.6g}" for each in values)]) for sex, *values in rows]


def with_point(number: str) -> float:
    return float(number.replace(",", "."))


def test_an_animal_in_mm_and_g_has_the_age_that_the_api_tells_in_the_surveys_units(
    page: Page, live: RunningServer
) -> None:
    said = tell(page, MEASURED)
    told = asked_by_program(live, f"F,{','.join(map(str, SURVEYED))}")
    assert f"{told['age_years']:.1f}\u00a0years" in said.replace(" ", "\u00a0")
    assert f"{told['rings']:.1f} rings" in said
    low, high = (told[f"rings_{end}"] + 1.5 for end in ("low", "high"))
    assert f"9 of 10 animals like it are {low:.1f} to {high:.1f} years old" in said
    page.get_by_text("females that the model learnt from.").wait_for()
    page.get_by_role("img", name="Females that the model learnt from, by age").wait_for()
    page.get_by_text("Version 1. On 209 animals").wait_for()
    assert page.get_by_label("Length mm", exact=True).count() == 1
    page.get_by_label("The survey's: mm / 200 and g / 200").check()
    assert page.get_by_label("Length mm / 200", exact=True).count() == 1
    assert page.get_by_label("Whole weight g / 200", exact=True).count() == 1
    again = tell(page, dict(zip(MEASURED, map(str, SURVEYED), strict=True)))
    assert again == said


def test_the_model_that_answers_has_its_report(page: Page) -> None:
    page.set_viewport_size({"width": 1200, "height": 1010})
    tell(page, MEASURED)
    page.evaluate("window.scrollTo(0, 0)")
    screenshot(page, "age-calculator")
    page.get_by_text("it was off by 2.046 rings (RMSE).").wait_for()  # as /models tells it
    page.get_by_role("link", name="Report on version 1").click()
    page.get_by_role("heading", name="The report on version 1").wait_for()


def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    page.get_by_label("Millimetres and grams").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    for value in MEASURED.values():
        page.keyboard.press("Tab")
        page.keyboard.type(value)
    page.keyboard.press("Enter")
    page.get_by_role("status").filter(has_text="years old").wait_for()


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


def test_what_is_odd_is_told_at_its_field_while_it_is_typed(page: Page) -> None:
    fill_in(page, {**MEASURED, "Height": "65"})
    page.get_by_text("Hardly any abalone is this high").wait_for()
    assert page.get_by_label("Height").get_attribute("aria-invalid") == "false"
    assert "years old" in tell(page, {**MEASURED, "Height": "65"})


def test_wrong_input_is_told_at_its_field_while_it_is_typed(page: Page) -> None:
    page.get_by_label("Length").press_sequentially("9l")
    page.get_by_text("It is '9l'; it must be a decimal number.").wait_for()
    assert page.get_by_label("Length").get_attribute("aria-invalid") == "true"
    assert page.get_by_text("Fill it in.").count() == 0
    page.get_by_role("button", name=TELL).click()
    page.get_by_text("Fill it in.").first.wait_for()
    page.get_by_text("Choose one.").wait_for()
    assert page.get_by_text("Fill it in.").locator("visible=true").count() == 6
    fill_in(page, MEASURED)
    page.get_by_text("Fill it in.").first.wait_for(state="hidden")
    assert page.get_by_label("Length").get_attribute("aria-invalid") == "false"


def test_numbers_of_the_surveys_units_are_never_taken_for_mm(page: Page) -> None:
    fill_in(page, dict(zip(MEASURED, map(str, SURVEYED), strict=True)))
    page.get_by_role("button", name=TELL).click()
    page.get_by_text("These numbers look like millimetres / 200 and grams / 200").wait_for()
    assert page.get_by_text("years old").count() == 0
    page.get_by_role("button", name="They are mm / 200 and g / 200").click()
    page.get_by_role("button", name=TELL).click()
    page.get_by_role("status").filter(has_text="years old").wait_for()


def test_an_answer_is_marked_as_of_the_animal_before_once_that_is_changed(page: Page) -> None:
    tell(page, MEASURED)
    stale = page.get_by_text("Of the animal before your last change.")
    assert not stale.is_visible()
    page.get_by_label("Height").fill("31")
    stale.wait_for()
    tell(page, {**MEASURED, "Height": "31"})
    stale.wait_for(state="hidden")
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("The age appears here").wait_for()
    assert page.get_by_label("Height").input_value() == ""


def held_requests(page: Page, url: str | re.Pattern[str]) -> list[Route]:
    """The requests from now on, which go on when they are told to."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(url, hold)
    return held


def test_an_answer_that_a_change_has_overtaken_is_marked_too(page: Page) -> None:
    held = held_requests(page, "**/age")
    fill_in(page, MEASURED)
    with page.expect_request("**/age"):
        page.get_by_role("button", name=TELL).click()
    page.get_by_label("Height").fill("31")
    held[0].continue_()
    page.get_by_role("status").filter(has_text="years old").wait_for()
    page.get_by_text("Of the animal before your last change.").wait_for()


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


def test_an_old_animal_has_a_plain_warning(page: Page) -> None:
    tell(page, OLD)
    doubts = page.get_by_role("list", name="Why not to trust it").get_by_role("listitem")
    assert any("An old animal" in text for text in doubts.all_inner_texts())


def test_without_a_model_the_page_says_so_and_comes_alive_by_itself(
    browser: Browser, registry: FolderRegistry
) -> None:
    with running_server(registry) as running, opened(browser, running.url) as page:
        page.get_by_text("No model answers yet").wait_for()
        page.get_by_text(
            "waits for its first deployment. Once one does, this page shows it by itself."
        ).wait_for()
        assert page.get_by_role("button", name=TELL).is_disabled()
        assert violations(page) == []
        publish_pointer(registry.store, ENDPOINT, 1)
        page.get_by_text("No model answers yet").wait_for(state="hidden")
        assert "years old" in tell(page, MEASURED)
        assert page.get_by_role("link", name="Report on").count() == 0  # there is no lake


def test_a_model_that_is_swapped_meanwhile_gives_the_next_answer(
    page: Page, live: RunningServer, registry: FolderRegistry
) -> None:
    before = tell(page, MEASURED)
    page.get_by_text("Version 1.").wait_for()
    publish_pointer(registry.store, ENDPOINT, 2)
    live.wait_for_version(2)
    page.get_by_role("button", name=TELL).click()
    page.get_by_text("Version 2.").wait_for()
    after = page.get_by_role("status").filter(has_text="years old").inner_text()
    told = asked_by_program(live, f"F,{','.join(map(str, SURVEYED))}")
    assert f"{told['rings']:.1f} rings" in after
    assert before != after


def test_a_server_that_went_away_is_told_and_what_was_typed_stays(
    browser: Browser, registry: FolderRegistry
) -> None:
    with ExitStack() as stack:
        with running_server(registry) as running:
            page = stack.enter_context(opened(browser, running.url))
            fill_in(page, MEASURED)
        told = page.locator("#waiting").get_by_text("The server does not answer.")
        told.wait_for()
        assert told.inner_text().endswith("Once it answers again, this page goes on by itself.")
        assert page.get_by_text("No model answers yet").count() == 0
        assert page.get_by_label("Length").input_value() == MEASURED["Length"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    browser: Browser, live: RunningServer, width: int, scheme: Scheme
) -> None:
    with opened(browser, live.url, width=width, scheme=scheme) as page:
        page.get_by_text("Version 1.").wait_for()
        assert violations(page) == []
        tell(page, OLD)
        page.get_by_label(LINES).fill("\n".join([*pasted(40), "M,91"]))
        page.get_by_role("button", name=TELL_ALL).click()
        page.get_by_text("40 animals aged").wait_for()
        assert violations(page) == []
        assert not overflows(page)
        picture(page, f"age-calculator-{width}-{scheme}")
        page.get_by_label("Length").fill("x")
        page.get_by_role("button", name=TELL).click()
        page.get_by_text("must be a decimal number").wait_for()
        page.get_by_label(LINES).fill(json.dumps({}))
        page.get_by_role("button", name=TELL_ALL).click()
        page.get_by_text("1 line is no animal").wait_for()
        assert violations(page) == []
        assert not overflows(page)
