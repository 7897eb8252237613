"""Animals as unconstrained numbers, and back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from abalone_assets.modeling.dataset import take
from abalone_assets.synthesis import SynthesisError
from abalone_assets.synthesis.contract import read_off
from abalone_assets.synthesis.representation import STEPS, plausible, represent
from abalone_assets_tests.synthesis.support import animal, animals, base_rows


def test_what_is_encoded_comes_back_as_the_instruments_read_it() -> None:
    rows = take(base_rows(), np.arange(900))
    rng = np.random.default_rng(0)
    representation = represent(rows, rng)
    back, _ = read_off(representation.decode(*representation.encode(rows, rng)))
    np.testing.assert_array_equal(back["sex"], rows["sex"])
    for name, step in {**STEPS, "rings": 1}.items():
        off = np.abs(back[name] - rows[name]) / step
        assert np.median(off) < 0.01, name
        assert (off < 1.5).mean() > 0.97, name  # the rest is clipped to the ends of its margin


def test_encoded_scores_are_standard_and_uncorrelated_within_each_sex() -> None:
    rows = base_rows()
    rng = np.random.default_rng(0)
    representation = represent(rows, rng)
    sexes, white = representation.encode(rows, rng)
    for index in range(3):
        own = white[sexes == index]
        assert np.abs(own.mean(axis=0)).max() < 0.05
        assert np.abs(np.cov(own.T) - np.eye(8)).max() < 0.06


def test_a_generator_whose_margins_are_off_draws_the_real_ones_once_calibrated() -> None:
    rows, rng = base_rows(), np.random.default_rng(0)
    representation = represent(rows, rng)
    sexes, white = rng.integers(0, 3, 9000), 0.7 * rng.standard_normal((9000, 8)) + 0.4
    calibrated = representation.calibrated(sexes, white)
    own = rows["sex"] == "I"
    before, after = (
        ks_2samp(np.rint(each.decode(sexes, white)["rings"][sexes == 2]), rows["rings"][own])
        for each in (representation, calibrated)
    )
    assert before.statistic > 0.2
    assert after.statistic < 0.03


def test_a_sex_that_does_not_occur_is_none_of_the_sexes() -> None:
    rows = take(base_rows(), base_rows()["sex"] != "F")
    representation = represent(rows, np.random.default_rng(0))
    assert representation.sexes == ("M", "I")
    assert representation.shares.sum() == pytest.approx(1)


def test_a_sex_of_too_few_animals_is_refused() -> None:
    rows = base_rows()
    few = np.flatnonzero(rows["sex"] == "F")[:7]
    kept = np.concatenate([np.flatnonzero(rows["sex"] == "M"), few])
    with pytest.raises(SynthesisError, match=r"7 of sex F; at least 30 of each sex"):
        represent(take(rows, kept), np.random.default_rng(0))


def test_columns_that_do_not_vary_are_represented() -> None:
    rows = animals(*[animal() for _ in range(40)])
    representation = represent(rows, np.random.default_rng(0))
    drawn = representation.decode(np.zeros(9, dtype=np.intp), np.zeros((9, 8)))
    assert drawn["length"] == pytest.approx(0.455, abs=STEPS["length"])


def test_the_smallest_reading_can_be_spread_over_its_step() -> None:
    rows = animals(*[animal(viscera_weight=0.0001) for _ in range(40)])
    representation = represent(rows, np.random.default_rng(0))
    assert np.isfinite(representation.quantiles).all()


def test_a_height_beyond_60_mm_is_not_plausible() -> None:
    assert plausible(animals(animal(), animal(height=1.13))).tolist() == [True, False]
