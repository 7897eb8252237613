import numpy as np
import pytest

from abalone_assets.modeling.evaluation.confidence import confidence

RANDOM = np.random.default_rng(0)
ACTUAL = RANDOM.integers(3, 20, 150).astype(float)
PREDICTED = ACTUAL + RANDOM.normal(0.3, 2, 150)
COVERED = np.abs(PREDICTED - ACTUAL) < 3


def test_intervals_hold_the_numbers_they_are_of() -> None:
    errors = PREDICTED - ACTUAL
    few = np.arange(150) < 9
    overall, by_slice = confidence(PREDICTED, ACTUAL, COVERED, {"few": few, "rest": ~few})
    assert (overall["level"], overall["resamples"]) == (0.95, 2000)
    r2 = 1 - (errors**2).sum() / ((ACTUAL - ACTUAL.mean()) ** 2).sum()
    for interval, number in (
        (overall["rmse"], (errors**2).mean() ** 0.5),
        (overall["mae"], np.abs(errors).mean()),
        (overall["r2"], r2),
        (overall["coverage"], COVERED.mean()),
        (by_slice["few"], (errors[few] ** 2).mean() ** 0.5),
    ):
        assert interval is not None
        assert interval[0] < number < interval[1]
    assert np.diff(by_slice["few"])[0] > 2 * np.diff(by_slice["rest"])[0]


def test_the_interval_of_r2_is_the_one_of_whole_resamples() -> None:
    random = np.random.default_rng(5)
    values = []
    for _ in range(400):
        drawn = random.integers(150, size=150)
        actual, error = ACTUAL[drawn], (PREDICTED - ACTUAL)[drawn]
        values.append(1 - (error**2).sum() / ((actual - actual.mean()) ** 2).sum())
    overall, _ = confidence(PREDICTED, ACTUAL, None, {})
    assert overall["r2"] == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.03)
    assert overall["coverage"] is None


def test_rings_that_do_not_vary_leave_r2_without_interval() -> None:
    overall, _ = confidence(np.asarray([9.0, 11.0]), np.asarray([10.0, 10.0]), None, {})
    assert overall["r2"] is None
    assert overall["rmse"] == (1.0, 1.0)


@pytest.mark.parametrize(
    "actual",
    [[9, 10, 10], [8, 9, 11], [10] * 30 + [11], [7.1, 7.1, 7.2], [3] + [9] * 12],
    ids=["three rows with a tie", "three rows", "one apart", "fractions", "one far apart"],
)
def test_resamples_of_one_age_say_nothing_of_r2(actual: list[float]) -> None:
    """What rounding leaves of the spread of their rings is no spread."""
    counted = np.asarray(actual, dtype=np.float64)
    overall, _ = confidence(counted + np.resize([0.3, -0.2, 0.1], len(counted)), counted, None, {})
    assert overall["r2"] is not None
    low, high = overall["r2"]
    most_squares, least_step = len(counted) * 0.3**2, np.diff(np.unique(counted)).min()
    assert 1 - most_squares / (0.5 * least_step**2) <= low <= high <= 1
