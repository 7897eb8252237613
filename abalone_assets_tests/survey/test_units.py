"""Which units the numbers of a survey look like."""

import pytest

from abalone_assets.errors import SurveyError
from abalone_assets.survey import SurveyRowError, validate_measurements
from abalone_assets.survey.units import CONTRACT_UNITS, Units, as_size, guess_units
from abalone_assets_tests.survey.found import ANIMALS, in_units

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
    large = [fields for fields in in_units(1.0, 1.0) if float(fields[1]) > 40]
    assert len(large) == len(ANIMALS) - 1  # what one of 38 mm is in is not clear
    for fields in large:
        said = refused(fields[0], *map(float, fields[1:8]))
        assert said.endswith("look like millimetres and grams: divide all of them by 200")


def test_of_another_mistake_than_a_size_units_are_not_told() -> None:
    _, *sizes = in_units(1.0, 1.0)[0][:8]
    assert "look like" not in refused("male", *map(float, sizes), why="one of M, F, I")


def test_a_slipped_decimal_point_is_not_taken_for_another_unit() -> None:
    for fields in ANIMALS:
        sex, length, *others = fields[0], *map(float, fields[1:8])
        for times in (10, 100):
            assert "look like" not in refused(sex, length * times, *others)


@pytest.mark.parametrize("value", ["", "M", None, 0, -1.0, 1e7, float("nan"), 10**400, [1]])
def test_what_can_be_no_size_is_none(value: object) -> None:
    assert as_size(value) is None
    assert as_size("91") == as_size(91) == 91.0
