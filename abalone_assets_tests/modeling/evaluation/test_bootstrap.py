import tracemalloc

import numpy as np
import pytest

from abalone_assets.modeling.evaluation import bootstrap
from abalone_assets.modeling.evaluation.bootstrap import percentile_interval, resampled_sums

ROWS = np.random.default_rng(3).normal(5, 2, (200, 2))


def test_each_resample_draws_as_many_rows_as_there_are() -> None:
    sums = resampled_sums(np.ones((37, 1)), resamples=250)
    assert sums.shape == (250, 1)
    assert set(sums.ravel()) == {37.0}


def test_all_columns_are_resampled_by_the_same_rows() -> None:
    doubled = np.column_stack([ROWS[:, 0], 2 * ROWS[:, 0]])
    sums = resampled_sums(doubled, resamples=120)
    assert sums[:, 1] == pytest.approx(2 * sums[:, 0])
    assert len(set(sums[:, 0])) == 120


def test_the_same_seed_draws_the_same_rows() -> None:
    first, again = (resampled_sums(ROWS, resamples=110) for _ in range(2))
    assert (first == again).all()
    assert not (resampled_sums(ROWS, resamples=110, seed=1) == first).any()


def test_the_same_seed_draws_the_rows_that_it_always_drew() -> None:
    """Intervals of versions that were registered long ago are to be found again, to the bit."""
    random = np.random.default_rng(0)
    times = [np.bincount(rows, minlength=200) for rows in random.integers(200, size=(110, 200))]
    drawn = np.asarray(times, dtype=np.float64)
    expected = np.concatenate([drawn[:100] @ ROWS, drawn[100:] @ ROWS])
    assert (resampled_sums(ROWS, resamples=110) == expected).all()


def test_many_rows_take_the_memory_of_some_and_are_drawn_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = np.round(ROWS)  # whose sums are exact, in whatever order
    expected = resampled_sums(whole, resamples=110)
    with monkeypatch.context() as patched:
        patched.setattr(bootstrap, "_BLOCK_BYTES", 7 * 8 * len(whole))
        assert (resampled_sums(whole, resamples=110) == expected).all()
        patched.setattr(bootstrap, "_BLOCK_BYTES", 1)
        assert (resampled_sums(whole, resamples=110) == expected).all()
    many = np.ones((400_000, 1))
    tracemalloc.start()
    try:
        assert set(resampled_sums(many, resamples=60).ravel()) == {400_000.0}
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide() -> None:
    low, high = percentile_interval(resampled_sums(ROWS)[:, 0] / len(ROWS), 0.95)
    mean, error = ROWS[:, 0].mean(), ROWS[:, 0].std() / len(ROWS) ** 0.5
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), rel=0.01)


def test_resamples_without_a_row_of_the_slice_do_not_count() -> None:
    statistics = np.asarray([np.nan, *np.linspace(0, 1, 101)])
    assert percentile_interval(statistics, 0.9) == pytest.approx((0.05, 0.95))
