"""What is tried next follows from what was tried, and from the seed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from abalone_assets.search import SPACES, Part, Trial
from abalone_assets.search.trials import importances, suggest
from abalone_assets_tests.search.support import trial

KERNEL = SPACES["kernel"]


def searched(trials: int, seed: int = 0) -> list[Trial]:
    """Trials of an error that is least at a length scale of 12, whatever the noise."""
    ran: list[Trial] = []
    for number in range(trials):
        chosen = suggest(KERNEL, ran, seed)
        error = 2 + abs(math.log(chosen["length_scale"] / 12))
        ran.append(trial("kernel", number, error, **chosen))
    return ran


@pytest.mark.parametrize("part", SPACES)
def test_suggestions_lie_in_the_space_with_few_digits(part: Part) -> None:
    ran: list[Trial] = []
    for number in range(15):
        chosen = suggest(SPACES[part], ran, seed=number)
        ran.append(trial(part, number, 2 + number % 3, **chosen))
        assert list(chosen) == [dimension.name for dimension in SPACES[part]]
        for dimension in SPACES[part]:
            value = chosen[dimension.name]
            assert dimension.low <= value <= dimension.high
            assert isinstance(value, int) == dimension.is_integer
            assert float(f"{value:.3g}") == value
            if dimension.is_integer:
                assert (value - dimension.low) % dimension.step == 0


def test_the_same_trials_and_seed_suggest_the_same() -> None:
    ran = searched(14)
    assert suggest(KERNEL, ran, seed=3) == suggest(KERNEL, ran, seed=3)
    assert suggest(KERNEL, ran, seed=3) != suggest(KERNEL, ran, seed=4)
    assert suggest(KERNEL, ran[:-1], seed=3) != suggest(KERNEL, ran, seed=3)


def test_suggestions_move_to_where_trials_were_good() -> None:
    ran = searched(40)
    early, late = (sum(each.rmse for each in part) / len(part) for part in (ran[:10], ran[-10:]))
    assert late < early - 0.2


def test_pruned_trials_count_as_the_bad_ones_that_they_are() -> None:
    ran = searched(12)
    pruned = [replace(each, state="pruned") if each.rmse > 2.5 else each for each in ran]
    assert any(each.state == "pruned" for each in pruned)
    suggested = suggest(KERNEL, pruned, seed=0)
    assert all(each.low <= suggested[each.name] <= each.high for each in KERNEL)


def test_the_hyperparameter_that_decides_is_the_important_one() -> None:
    found = importances(KERNEL, searched(40))
    assert sum(found.values()) == pytest.approx(1)
    assert found["length_scale"] > found["noise"]


def test_nothing_is_important_before_trials_differ() -> None:
    assert importances(KERNEL, []) == {}
    assert importances(KERNEL, [trial("kernel", 0, 2.0, length_scale=8.0, noise=0.6)]) == {}
