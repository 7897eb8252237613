"""One animal is measured, and its age is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.services.pages.calculator.person import (
    MEASURED,
    OLD,
    SURVEYED,
    TELL,
    asked_by_program,
    fill_in,
    held_requests,
    tell,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from abalone_assets_tests.serving.support import RunningServer

pytestmark = pytest.mark.xdist_group("browser")


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


def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    page.get_by_label("Millimetres and grams").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    for value in MEASURED.values():
        page.keyboard.press("Tab")
        page.keyboard.type(value)
    page.keyboard.press("Enter")
    page.get_by_role("status").filter(has_text="years old").wait_for()


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


def test_an_answer_that_a_change_has_overtaken_is_marked_too(page: Page) -> None:
    held = held_requests(page, "**/age")
    fill_in(page, MEASURED)
    with page.expect_request("**/age"):
        page.get_by_role("button", name=TELL).click()
    page.get_by_label("Height").fill("31")
    held[0].continue_()
    page.get_by_role("status").filter(has_text="years old").wait_for()
    page.get_by_text("Of the animal before your last change.").wait_for()


def test_an_old_animal_has_a_plain_warning(page: Page) -> None:
    tell(page, OLD)
    doubts = page.get_by_role("list", name="Why not to trust it").get_by_role("listitem")
    assert any("An old animal" in text for text in doubts.all_inner_texts())
