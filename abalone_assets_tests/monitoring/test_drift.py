"""When requests count as unlike what was learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from abalone_assets.monitoring.drift import (
    LEVEL,
    MIN_ANIMALS,
    MODERATE_PSI,
    PREDICTION,
    FeatureDrift,
    compare,
    population_stability_index,
)
from abalone_assets.survey import FEATURES, MEASUREMENTS
from abalone_assets_tests.monitoring.support import reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFERENCE = reference()
TRIALS = 20


def asked(
    count: int, seed: int, shifted: str | None = None, by: float = 0.5
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Animals drawn from the training split, one measurement moved by so many deviations."""
    size = REFERENCE.predicted.size
    drawn = np.random.default_rng(seed).choice(size, count, replace=False)
    columns = {name: np.asarray(REFERENCE.columns[name])[drawn] for name in FEATURES}
    if shifted is not None:
        columns[shifted] = columns[shifted] + by * np.std(REFERENCE.columns[shifted])
    return columns, REFERENCE.predicted[drawn]


def drifted(found: list[FeatureDrift]) -> set[str]:
    return {each.feature for each in found if each.drifted}


@pytest.mark.parametrize("feature", MEASUREMENTS)
def test_half_a_deviation_in_500_requests_is_found(feature: str) -> None:
    found = [drifted(compare(REFERENCE, *asked(500, seed, feature))) for seed in range(TRIALS)]
    assert found == [{feature}] * TRIALS


def test_requests_like_the_training_rows_raise_no_alarm() -> None:
    for seed in range(5 * TRIALS):
        found = compare(REFERENCE, *asked(500, seed))
        assert drifted(found) == set()
        assert [each.feature for each in found] == [*FEATURES, PREDICTION]


def test_a_shift_that_matters_to_nobody_is_no_drift_however_sure() -> None:
    columns, predicted = asked(REFERENCE.predicted.size, 0, "length", by=0.1)
    (length,) = [e for e in compare(REFERENCE, columns, predicted) if e.feature == "length"]
    assert length.p_value < 1e-6
    assert not length.drifted


def test_a_large_shift_of_a_few_animals_may_be_chance() -> None:
    found = compare(REFERENCE, *asked(MIN_ANIMALS, 0, "length", by=0.5))
    (length,) = [each for each in found if each.feature == "length"]
    assert length.psi > MODERATE_PSI
    assert length.p_value > LEVEL
    assert not length.drifted


def test_males_alone_are_a_drift_of_the_sex() -> None:
    columns, predicted = asked(500, 0)
    columns["sex"] = np.full(500, "M")
    found = compare(REFERENCE, columns, predicted)
    assert drifted(found) == {"sex"}
    assert found[0].requests == 0


def test_predictions_drift_too() -> None:
    columns, predicted = asked(500, 0)
    assert drifted(compare(REFERENCE, columns, predicted + 2)) == {PREDICTION}


def test_few_animals_say_nothing() -> None:
    assert compare(REFERENCE, *asked(MIN_ANIMALS - 1, 0)) == []
    assert compare(REFERENCE, *asked(MIN_ANIMALS, 0)) != []


def test_the_index_is_that_of_the_formula() -> None:
    shares = np.array([100_000, 300_000, 600_000]), np.array([200_000, 300_000, 500_000])
    formula = 0.1 * np.log(2) + -0.1 * np.log(5 / 6)
    assert population_stability_index(*shares) == pytest.approx(formula, abs=1e-4)


def test_what_chance_adds_is_taken_off() -> None:
    """Of a hundred pairs of samples of one population the index is 0 for half at the least."""
    random = np.random.default_rng(0)
    pairs = random.multinomial(50, [0.1] * 10, size=(100, 2))
    found = [population_stability_index(*pair) for pair in pairs]
    assert sum(index == 0 for index in found) >= 50
    assert np.mean(found) < 9 * (1 / 50 + 1 / 50)  # what it would be on average


def test_an_empty_bin_has_an_index() -> None:
    assert 0 < population_stability_index(np.array([50, 50]), np.array([100, 0])) < 10


def test_animals_beyond_the_training_range_are_outside() -> None:
    columns, _ = asked(3, 0)
    columns["height"][1] = 1.49
    columns["shell_weight"][2] = 0.0001
    assert REFERENCE.outside(columns).tolist() == [False, True, True]


def test_a_quiet_year_of_daily_looks_raises_no_alarm() -> None:
    """A look a day at the requests of seven days, 60 animals each."""
    days = [asked(60, seed) for seed in range(365)]
    alarms = 0
    for day in range(6, 365, 6):  # every sixth window stands for its neighbours, which share days
        window = days[day - 6 : day + 1]
        columns = {name: np.concatenate([each[0][name] for each in window]) for name in FEATURES}
        predicted = np.concatenate([each[1] for each in window])
        alarms += bool(drifted(compare(REFERENCE, columns, predicted)))
    assert alarms == 0


def test_each_comparison_tells_the_shares_of_both_sides() -> None:
    columns, predicted = asked(500, 0)
    columns["length"] = np.full(500, np.max(REFERENCE.columns["length"]))
    found = {each.feature: each for each in compare(REFERENCE, columns, predicted)}
    assert found["length"].bins == (0.0,) * 9 + (1.0,)
    assert found["length"].expected == pytest.approx((0.1,) * 10, abs=0.03)
    males = float(np.mean(REFERENCE.columns["sex"] == "M"))
    assert found["sex"].expected[0] == pytest.approx(males, abs=1e-4)
    assert sum(found["sex"].bins) == pytest.approx(1)
