import numpy as np
import pytest

from abalone_assets.modeling.evaluation.paired import paired_comparisons, paired_mae
from abalone_assets.modeling.scores import EvaluationError

RANDOM = np.random.default_rng(1)
CHAMPION = RANDOM.normal(0, 2, 400) ** 2
EVERYONE = {"overall": np.ones(400, dtype=bool)}


def test_a_model_is_equal_to_itself() -> None:
    compared = paired_comparisons(CHAMPION, CHAMPION, EVERYONE)["overall"]
    assert (compared["difference"], compared["low"], compared["high"]) == (0, 0, 0)
    assert compared["rmse"] == pytest.approx(CHAMPION.mean() ** 0.5)


@pytest.mark.parametrize(("factor", "sign"), [(0.9, -1), (1.1, 1)])
def test_a_model_that_is_better_or_worse_on_every_row_is_surely_so(
    factor: float, sign: int
) -> None:
    compared = paired_comparisons(CHAMPION * factor, CHAMPION, EVERYONE)["overall"]
    assert compared["difference"] == compared["rmse"] - compared["champion_rmse"]
    assert compared["low"] < compared["difference"] < compared["high"]
    assert sign * compared["low"] > 0
    assert sign * compared["high"] > 0


def test_pairing_hides_what_is_hard_for_both() -> None:
    noise = RANDOM.normal(1, 0.1, 400)
    paired = paired_comparisons(CHAMPION * noise, CHAMPION, EVERYONE)["overall"]
    shuffled = paired_comparisons(CHAMPION[::-1] * noise, CHAMPION, EVERYONE)["overall"]
    assert paired["high"] - paired["low"] < 0.2 * (shuffled["high"] - shuffled["low"])


def test_each_group_is_compared_on_its_own_rows() -> None:
    first = np.arange(400) < 100
    own = np.where(first, CHAMPION * 4, CHAMPION)
    nobody = np.zeros(400, dtype=bool)
    compared = paired_comparisons(own, CHAMPION, {"a": first, "b": ~first, "c": nobody}, 50)
    assert compared.keys() == {"a", "b"}
    assert [each["rows"] for each in compared.values()] == [100, 300]
    assert [each["value"] for each in compared.values()] == ["a", "b"]
    assert compared["a"]["rmse"] == pytest.approx(2 * compared["a"]["champion_rmse"])
    assert compared["b"]["difference"] == 0


def test_a_group_of_one_row_has_an_interval() -> None:
    lonely = np.arange(400) == 7
    compared = paired_comparisons(CHAMPION + 1, CHAMPION, {"one": lonely}, 100)["one"]
    assert compared["low"] == compared["high"] == pytest.approx(compared["difference"])


def test_errors_that_do_not_pair_are_refused() -> None:
    with pytest.raises(EvaluationError, match="3 errors cannot be paired with 4"):
        paired_comparisons(np.ones(3), np.ones(4), {})
    with pytest.raises(EvaluationError, match="at least one"):
        paired_comparisons([], [], {})
    assert paired_comparisons(CHAMPION, CHAMPION, {}) == {}


def test_mean_absolute_errors_are_paired_too() -> None:
    own = np.sqrt(CHAMPION)
    compared = paired_mae(own * 0.9, own)
    assert compared["difference"] == pytest.approx(-0.1 * own.mean())
    assert compared["low"] < compared["difference"] < compared["high"] < 0
    assert compared["rows"] == own.size
    assert compared["champion_rmse"] == pytest.approx(own.mean())
    assert paired_mae(own, own)["high"] == 0
    with pytest.raises(EvaluationError, match="3 errors cannot be paired with 4"):
        paired_mae(np.ones(3), np.ones(4))
