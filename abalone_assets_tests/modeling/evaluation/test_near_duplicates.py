"""An animal that is sent again with slightly other readings is found; a mere likeness is not."""

from typing import Any

import numpy as np
import pytest

from abalone_assets.modeling.dataset import concat, take
from abalone_assets.modeling.evaluation.near_duplicates import near_duplicates
from abalone_assets.survey import MEASUREMENTS
from abalone_assets_tests.modeling.support import Table, rows

STEP = {name: 0.0005 if "weight" in name else 0.005 for name in MEASUREMENTS}


def sent_again(count: int, **added: float) -> Table:
    """All animals, and the first of them again with other readings."""
    animals = rows(0, 2000)
    again: dict[str, Any] = take(animals, np.arange(count))
    return concat([animals, {**again, **{name: again[name] + by for name, by in added.items()}}])


def test_different_animals_are_no_duplicates() -> None:
    assert near_duplicates(rows(0, 2000)) == 0
    assert near_duplicates(rows(0, 1)) == near_duplicates(take(rows(0, 1), np.arange(0))) == 0


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_one_instrument_step_makes_a_duplicate_and_two_do_not(name: str) -> None:
    for sign in (1, -1):
        assert near_duplicates(sent_again(1500, **{name: sign * STEP[name]})) == 3000
        assert near_duplicates(sent_again(1500, **{name: sign * 2 * STEP[name]})) < 5  # by chance


def test_a_step_of_every_instrument_and_other_rings_still_make_a_duplicate() -> None:
    assert near_duplicates(sent_again(50, **STEP, rings=3)) == 100


@pytest.mark.parametrize("count", [1, 50])
def test_another_sex_is_another_animal(count: int) -> None:
    twice = sent_again(count)
    twice["sex"][:count] = np.where(twice["sex"][:count] == "I", "M", "I")
    assert near_duplicates(twice) == 0


def test_three_of_a_kind_are_three() -> None:
    assert near_duplicates(concat([sent_again(1), take(rows(0, 1), np.arange(1))])) == 3
