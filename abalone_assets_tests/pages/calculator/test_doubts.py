from __future__ import annotations

import math
from dataclasses import replace

import pytest

from abalone_assets.modeling.known_animals import BandError, KnownAnimals
from abalone_assets.pages.calculator.doubts import SOFT_WORDS, doubts
from abalone_assets.pages.calculator.measured import Animal
from abalone_assets.survey import FEATURES, MEASUREMENTS, SOFT_RULES
from abalone_assets.survey.units import CONTRACT_UNITS, MM_G

VALUES = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15)
KNOWN = KnownAnimals(
    {"M": dict.fromkeys(MEASUREMENTS, (0.05, 1.0))},
    {"M": (0, 4, 6)},
    (BandError(7.0, 9.0, 400, 1.2), BandError(13.0, math.inf, 50, 3.4)),
)


def animal(**changed: str | float) -> Animal:
    values: dict[str, str | float] = {**dict(zip(FEATURES, VALUES, strict=True)), **changed}
    return Animal(tuple(values.values()))


def test_nothing_speaks_against_an_ordinary_animal() -> None:
    assert doubts(animal(), MM_G, KNOWN, 8.0, 2.0) == []


@pytest.mark.parametrize(
    ("changed", "rule", "column"),
    [
        ({"shucked_weight": 0.6}, "shucked_over_whole", "shucked_weight"),
        ({"viscera_weight": 0.5}, "parts_over_whole", "shucked_weight"),
        ({"diameter": 0.46}, "diameter_over_length", "diameter"),
        ({"height": 0.4}, "height_outlier", "height"),
        ({"length": 0.03}, "too_small", "length"),
    ],
)
def test_what_the_contract_finds_odd_is_said(
    changed: dict[str, float], rule: str, column: str
) -> None:
    found = doubts(animal(**changed), MM_G, None)
    assert (rule, column) in {(each.rule, each.column) for each in found}


def test_there_are_words_for_every_soft_rule() -> None:
    assert set(SOFT_WORDS) == {rule.name for rule in SOFT_RULES}


def test_a_measurement_beyond_what_the_model_learnt_is_said_in_the_units_of_the_question() -> None:
    ranges = {"M": {**KNOWN.ranges["M"], "shell_weight": (0.01, 0.125)}}
    known = replace(KNOWN, ranges=ranges)
    (found,) = doubts(animal(), MM_G, known)
    assert (found.column, found.rule) == ("shell_weight", "outside")
    assert found.message.endswith("males of 2 to 25 g only")
    (found,) = doubts(animal(), CONTRACT_UNITS, known)
    assert found.message.endswith("males of 0.01 to 0.125 g / 200 only")


def test_the_ends_of_what_it_learnt_are_inside() -> None:
    ranges = {
        "M": {name: (value, value) for name, value in zip(MEASUREMENTS, VALUES[1:], strict=True)}
    }
    assert doubts(animal(), MM_G, replace(KNOWN, ranges=ranges)) == []


def test_a_sex_that_the_model_does_not_know_is_said() -> None:
    (found,) = doubts(animal(sex="I"), MM_G, KNOWN)
    assert (found.column, found.rule) == ("sex", "unknown_sex")
    assert "no infant" in found.message


@pytest.mark.parametrize(
    ("rings", "usual", "told"),
    [(14.0, 2.0, True), (14.0, 2.5, False), (8.0, 2.0, False), (10.0, 2.0, False)],
    ids=["off by more", "not by much more", "young", "nothing known"],
)
def test_an_old_animal_is_said_to_be_one_where_the_model_is_further_off_than_usual(
    rings: float, usual: float, *, told: bool
) -> None:
    found = doubts(animal(), MM_G, KNOWN, rings, usual)
    assert [each.rule for each in found] == (["old"] if told else [])
    assert not told or "3.4 rings on 50 animals" in found[0].message
