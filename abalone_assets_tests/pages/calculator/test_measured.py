from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from abalone_assets.pages.calculator.measured import Animal, read_animal
from abalone_assets.survey import FEATURES
from abalone_assets.survey.units import CONTRACT_UNITS, MM_G

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.pages.calculator.measured import Field
    from abalone_assets.pages.calculator.problems import Problem
    from abalone_assets.survey.units import Units

SURVEYED: dict[str, Field] = dict(
    zip(FEATURES, ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15), strict=True)
)
MEASURED: dict[str, Field] = dict(
    zip(FEATURES, ("m", "91", " 73 ", 19, "102,8", "44.9", 20.2, "30.0"), strict=True)
)


def problems(fields: dict[str, Field], units: Units = MM_G) -> list[Problem]:
    found = read_animal(fields, units)
    assert not isinstance(found, Animal)
    return found


def test_the_same_animal_in_either_units_is_the_same_to_the_model() -> None:
    measured, surveyed = read_animal(MEASURED, MM_G), read_animal(SURVEYED, CONTRACT_UNITS)
    assert isinstance(measured, Animal)
    assert measured == surveyed
    assert measured.line == "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\n"
    assert measured.odd == ()


def test_each_column_has_its_own_problem() -> None:
    fields = {**MEASURED, "sex": "x", "height": "tall", "shell_weight": None, "diameter": "-1"}
    found = {each.column: each.rule for each in problems(fields)}
    assert found == {
        "sex": "sex",
        "diameter": "not_positive",
        "height": "not_a_number",
        "shell_weight": "missing",
    }


def test_nothing_but_blanks_is_missing() -> None:
    assert [each.rule for each in problems({"sex": " ", "length": "\t"})] == ["missing"] * 8


def test_what_is_too_large_is_told_in_the_units_of_the_question() -> None:
    (found,) = problems({**MEASURED, "diameter": "400"})
    assert found.message == "diameter is '400'; the plausible maximum is 300 (unit: mm)"


def test_a_comma_that_may_separate_thousands_is_refused() -> None:
    (found,) = problems({**MEASURED, "whole_weight": "1,028"})
    assert (found.column, found.rule) == ("whole_weight", "not_a_number")
    assert "thousands" in found.message


@pytest.mark.parametrize(
    ("fields", "units", "looks"),
    [
        (SURVEYED, MM_G, "millimetres / 200 and grams / 200"),
        (MEASURED, CONTRACT_UNITS, "millimetres and grams"),
    ],
)
def test_numbers_of_the_other_units_are_refused_and_nothing_else_is_told_of_them(
    fields: dict[str, Field], units: Units, looks: str
) -> None:
    (found,) = problems({**fields}, units)
    assert (found.column, found.rule) == ("units", "units")
    assert f"look like {looks}:" in found.message


def test_other_units_are_seen_while_the_animal_is_half_typed() -> None:
    found = problems({"length": "91", "whole_weight": "102.8"}, CONTRACT_UNITS)
    assert found[0].rule == "units"
    assert {each.rule for each in found[1:]} == {"missing"}


def test_a_weight_that_no_abalone_has_at_its_length_is_odd_but_answered() -> None:
    found = read_animal({**MEASURED, "whole_weight": "10.28"}, MM_G)
    assert isinstance(found, Animal)
    assert [(each.column, each.rule) for each in found.odd] == [("whole_weight", "unlike")]


def test_no_animal_of_uci_is_taken_for_one_of_other_units_nor_the_other_way_round(
    uci_file: Path,
) -> None:
    with uci_file.open() as lines:
        rows = [row[: len(FEATURES)] for row in csv.reader(lines)]
    for row in (row for row in rows if float(row[3]) > 0):
        surveyed: dict[str, Field] = dict(zip(FEATURES, row, strict=True))
        measured = {
            name: value if name == "sex" else round(float(str(value)) * 200, 6)
            for name, value in surveyed.items()
        }
        for fields, units, wrong in (
            (surveyed, CONTRACT_UNITS, MM_G),
            (measured, MM_G, CONTRACT_UNITS),
        ):
            assert isinstance(read_animal(fields, units), Animal)
            found = read_animal(fields, wrong)
            assert not isinstance(found, Animal)
            assert found[0].rule == "units"
