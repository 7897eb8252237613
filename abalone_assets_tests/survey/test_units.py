"""Which units the numbers of a survey look like."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abalone_assets.errors import SurveyError
from abalone_assets.survey import COLUMNS, SurveyRowError, validate_measurements
from abalone_assets.survey.rules import field_reader
from abalone_assets.survey.units import (
    CONTRACT_UNITS,
    LENGTH_UNITS,
    MM_G,
    Units,
    as_size,
    guess_units,
)
from abalone_assets_tests.survey.files import ANIMALS, in_units

MAXIMA = [column.maximum or 0.0 for column in COLUMNS[1:8]]
PAIRS = [
    *("scaled-scaled", "mm-g", "cm-g", "cm-kg", "m-kg", "in-oz", "in-lb"),
    *("mm-kg", "mm-scaled", "cm-scaled", "scaled-g", "scaled-kg"),
]


def animals(units: Units, *, times: float = 1.0) -> list[tuple[float, float]]:
    rows = in_units(units.length.size / times, units.weight.size / times**3)
    return [(float(fields[1]), float(fields[4])) for fields in rows]


@pytest.mark.parametrize("sexes", ["MF", "I", "MFI"])
@pytest.mark.parametrize("name", PAIRS)
def test_animals_of_either_age_tell_their_units(name: str, sexes: str) -> None:
    units = Units.named(name)
    chosen = [
        size for size, fields in zip(animals(units), ANIMALS, strict=True) if fields[0] in sexes
    ]
    assert guess_units(chosen) == units


@pytest.mark.parametrize("name", PAIRS)
def test_units_that_are_told_are_believed_of_small_animals(name: str) -> None:
    units = Units.named(name)
    assert guess_units(animals(units, times=0.2), units) == units
    assert guess_units([(0.1, 0.0049)], CONTRACT_UNITS) == CONTRACT_UNITS


def test_units_that_cannot_be_are_not_believed() -> None:
    metric, kilograms = Units.named("mm-g"), Units.named("cm-kg")
    assert guess_units(animals(CONTRACT_UNITS), metric) == CONTRACT_UNITS
    assert guess_units(animals(kilograms), metric) == kilograms


def test_what_is_no_abalone_has_no_units() -> None:
    assert guess_units([]) is None
    assert guess_units([(1.0, 1e9)]) is None


@pytest.mark.parametrize("name", ["mm", "mm-", "mm-mm", "g-mm", "furlongs-stone", ""])
def test_other_names_of_units_are_refused(name: str) -> None:
    with pytest.raises(SurveyError, match="such as mm-g"):
        Units.named(name)


def refused(*values: str | float, why: str = "plausible maximum") -> str:
    with pytest.raises(SurveyRowError, match=why) as seen:
        validate_measurements(values)
    return seen.value.message


def test_an_animal_in_mm_and_g_is_refused_and_told_so() -> None:
    for fields in in_units(1.0, 1.0):
        said = refused(fields[0], *map(float, fields[1:8]))
        larger = ", or centimetres and kilograms of a larger animal"  # as dense: size alone tells
        assert said.endswith(
            f"look like millimetres and grams{larger if float(fields[1]) <= 30 else ''}"
        )


def test_a_juvenile_of_15_mm_is_told_apart_as_well() -> None:
    small = ("I", "15", "11", "2", "0.4", "0.2", "0.1", "0.3")
    assert "look like millimetres and grams, or centimetres" in refused(*small)
    assert validate_measurements(small, MM_G) == (
        *("I", 0.075, 0.055, 0.01),
        *(0.002, 0.001, 0.0005, 0.0015),
    )
    with pytest.raises(SurveyRowError, match="look like millimetres / 200 and grams / 200") as seen:
        validate_measurements(("I", 0.075, 0.055, 0.01, 0.002, 0.001, 0.0005, 0.0015), MM_G)
    assert seen.value.looks_like == CONTRACT_UNITS


@pytest.mark.parametrize("fields", ANIMALS)
def test_an_animal_of_a_survey_that_is_said_to_be_in_mm_and_g_is_refused(fields: list[str]) -> None:
    with pytest.raises(SurveyRowError, match="look like millimetres / 200 and grams") as seen:
        validate_measurements(fields[:8], MM_G)
    assert seen.value.looks_like == CONTRACT_UNITS


def test_an_animal_that_only_looks_small_in_the_units_of_a_survey_is_refused_by_units() -> None:
    with pytest.raises(SurveyRowError, match="said to be millimetres and grams, but") as seen:
        validate_measurements(("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15), MM_G)
    assert (seen.value.column, seen.value.rule) == (None, "units")


@pytest.mark.parametrize("name", [*PAIRS, "in-oz"])
def test_an_animal_in_the_units_that_are_told_is_read(name: str) -> None:
    units = Units.named(name)
    for fields, written in zip(
        ANIMALS, in_units(units.length.size, units.weight.size), strict=True
    ):
        assert validate_measurements(written[:8], units) == validate_measurements(fields[:8])


def test_the_contracts_units_have_a_short_name() -> None:
    assert Units.named("survey") == Units.named("scaled-scaled") == CONTRACT_UNITS
    assert CONTRACT_UNITS.is_contract
    assert not MM_G.is_contract


@given(st.integers(1, 15_000))
def test_what_is_measured_in_mm_and_g_comes_back_as_it_was(step: int) -> None:
    """A reading of the survey's grid of 0.0001 is 0.02 mm or g, and none is lost on the way."""
    value = step / 10_000
    told = f"{step * 0.02:.2f}"
    for size in (1.0, 10.0, 1000.0):
        (unit,) = (unit for unit in LENGTH_UNITS if unit.size == size)
        column = COLUMNS[1]
        written = f"{float(told) / size:.10g}"
        assert field_reader(column, unit)(written) == value
        assert field_reader(column, unit)(float(written)) == value


def found_in(animals: list[list[str]], told: Units) -> Counter[str]:
    """How many of the animals are read, refused, or refused as of which units."""
    found: Counter[str] = Counter()
    for fields in animals:
        try:
            validate_measurements(fields[:8], told)
        except SurveyRowError as error:
            found[error.looks_like.name if error.looks_like else "refused"] += 1
            found["or cm-kg"] += "centimetres and kilograms" in error.message
        else:
            found["read"] += 1
    return +found


def test_of_ucis_animals_not_one_is_taken_for_one_of_other_units(uci_file: Path) -> None:
    """The table of docs/survey-contract.md."""
    survey = [line.split(",") for line in uci_file.read_text().split()]
    measured = in_units(1.0, 1.0, survey)
    small = [fields for fields in measured if float(fields[1]) < 40]
    slipped = [
        [f"{float(field) * times}" if at == place else field for place, field in enumerate(fields)]
        for fields in survey
        for at in range(1, 8)
        for times in (10, 100)
    ]
    assert found_in(survey, CONTRACT_UNITS) == {"read": 4175, "refused": 2}
    assert found_in(survey, MM_G) == {"scaled-scaled": 4177}
    assert found_in(measured, CONTRACT_UNITS) == {"mm-g": 4177, "or cm-kg": 8}
    assert found_in(measured, MM_G) == {"read": 4175, "refused": 2}
    assert found_in(small, CONTRACT_UNITS) == {"mm-g": 43, "or cm-kg": 8}
    assert found_in(small, MM_G) == {"read": 43}
    assert len(slipped) == 58478
    assert set(found_in(slipped, CONTRACT_UNITS)) == {"read", "refused"}


def test_of_another_mistake_than_a_size_units_are_not_told() -> None:
    _, *sizes = in_units(1.0, 1.0)[0][:8]
    assert "look like" not in refused("male", *map(float, sizes), why="one of M, F, I")


def test_a_slipped_decimal_point_is_not_taken_for_another_unit() -> None:
    for fields in ANIMALS:
        sex, *sizes = fields[0], *map(float, fields[1:8])
        for at, maximum in enumerate(MAXIMA):
            for times in (10, 100):
                slipped = [
                    size * times if at == place else size for place, size in enumerate(sizes)
                ]
                if slipped[at] > maximum:
                    assert "look like" not in refused(sex, *slipped)


@pytest.mark.parametrize("value", ["", "M", None, 0, -1.0, 1e7, float("nan"), 10**400, [1]])
def test_what_can_be_no_size_is_none(value: object) -> None:
    assert as_size(value) is None
    assert as_size("91") == as_size(91) == 91.0
