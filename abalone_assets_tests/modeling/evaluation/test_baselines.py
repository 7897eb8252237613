import numpy as np
import pytest

from abalone_assets.modeling.dataset import take
from abalone_assets.modeling.evaluation.baselines import baselines
from abalone_assets_tests.modeling.support import rows

BONUS = {"M": 1.0, "F": 2.0, "I": 0.0}


def test_the_mean_is_the_training_rows_mean() -> None:
    train, test = rows(0, 300), rows(300, 400)
    errors = test["rings"] - train["rings"].mean()
    assert baselines(train, test)["mean"] == pytest.approx((errors**2).mean() ** 0.5)


def test_a_straight_line_is_found_where_there_is_one() -> None:
    train, test = rows(0, 300), rows(300, 400)
    for part in (train, test):
        bonus = np.asarray([BONUS[sex] for sex in part["sex"]])
        part["rings"] = 3 + 10 * part["length"] + 4 * part["shell_weight"] + bonus
    scored = baselines(train, test)
    assert scored["linear"] == pytest.approx(0, abs=1e-6)
    assert scored["mean"] > 1


def test_few_rows_of_one_sex_are_enough_for_a_line() -> None:
    train = rows(0, 300)
    males = take(train, np.flatnonzero(train["sex"] == "M")[:3])
    assert np.isfinite(baselines(males, rows(300, 400))["linear"])
