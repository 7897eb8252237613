from threading import get_ident

import numpy as np
import pytest
from numpy.typing import NDArray

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.dataset import row_keys, take
from abalone_assets.modeling.features import Columns
from abalone_assets.modeling.models.model import Model
from abalone_assets.modeling.models.network import NetworkModel
from abalone_assets.modeling.models.out_of_fold import OutOfFold
from abalone_assets.modeling.training.cross_fitting import cross_fit, out_of_fold_scores
from abalone_assets.modeling.training.learners import learner_of
from abalone_assets.sample_data import base_survey
from abalone_assets.survey import parse_survey
from abalone_assets_tests.modeling.support import Table, first_rows, resaved

TABLE = OutOfFold(np.asarray([7, 3], dtype=np.uint64), np.asarray([9.0, 5.0]), 4)


def rows(count: int = 60) -> Table:
    return first_rows(count, "test")


def constant(rings: float) -> Model:
    layer = (np.zeros((1, 1)), np.asarray([rings]))
    return NetworkModel(("length",), np.zeros(1), np.ones(1), (layer,))


class Mean:
    """A recipe that predicts the mean of its rows, and keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[set[int], NDArray[np.float64]]] = []

    def __call__(self, columns: Columns, weights: NDArray[np.float64]) -> Model:
        self.given.append((set(row_keys(columns).tolist()), weights))
        return constant(float(np.mean(np.asarray(columns["rings"], dtype=float))))


def test_no_row_is_predicted_by_a_model_that_saw_it() -> None:
    learner, columns = Mean(), rows()
    table = cross_fit(learner, columns, 4, threads=1)
    everything = set(row_keys(columns).tolist())
    assert len(learner.given) == 4
    for fold, (seen, _) in enumerate(learner.given):
        held_out = everything - seen
        assert held_out == {key for key in everything if key % 4 == fold}
        known = np.isin(row_keys(columns), list(seen))
        expected = columns["rings"][known].mean()
        answered = table.predictions_for(np.asarray(list(held_out), dtype=np.uint64))
        assert answered == pytest.approx(np.full(len(held_out), expected))


def test_a_rows_fold_does_not_depend_on_the_other_rows() -> None:
    columns = rows()
    few, many = cross_fit(Mean(), rows(30), 3), cross_fit(Mean(), columns, 3)
    assert (few.keys % 3 == row_keys(rows(30)) % 3).all()
    assert set(few.keys.tolist()) < set(many.keys.tolist())


def test_simulated_rows_help_to_learn_within_their_cap_and_are_not_predicted() -> None:
    origin = np.where(np.arange(60) < 20, "surveyed", "synthetic").astype(object)
    columns, learner = rows() | {"origin": origin}, Mean()
    table = cross_fit(learner, columns, 2, max_synthetic_share=0.2, threads=1)
    assert sorted(table.keys.tolist()) == sorted(row_keys(rows(20)).tolist())
    for seen, weights in learner.given:
        animals = len(seen & set(row_keys(rows(20)).tolist()))
        assert animals < len(seen)
        assert weights.sum() == pytest.approx(animals / 0.8)


def test_tells_of_each_fold() -> None:
    told: list[tuple[int, float]] = []
    cross_fit(Mean(), rows(), 3, on_fold=lambda number, rmse: told.append((number, rmse)))
    assert [number for number, _ in told] == [1, 2, 3]
    assert all(1 < rmse < 6 for _, rmse in told)


def test_a_row_beside_which_there_is_none_is_left_out() -> None:
    assert cross_fit(Mean(), rows(1), 5).keys.size == 0


def test_knows_its_rows_by_their_keys() -> None:
    asked = np.asarray([3, 5, 7, 3, 2**64 - 1], dtype=np.uint64)
    expected = np.asarray([5.0, np.nan, 9.0, 5.0, np.nan])
    np.testing.assert_array_equal(TABLE.predictions_for(asked), expected)
    nobody = OutOfFold(np.empty(0, dtype=np.uint64), np.empty(0), 4)
    assert np.isnan(nobody.predictions_for(asked)).all()


def test_scores_the_rows_that_it_knows() -> None:
    columns = rows(3)
    table = OutOfFold(row_keys(columns)[:2], columns["rings"][:2] + np.asarray([3.0, -4.0]), 5)
    assert out_of_fold_scores(table, columns) == {
        "rows": 2,
        "folds": 5,
        "rmse": pytest.approx(12.5**0.5),
        "mae": pytest.approx(3.5),
    }


def test_survives_the_round_trip_without_pickles() -> None:
    again = OutOfFold.from_bytes(TABLE.to_bytes())
    assert (again.keys.tolist(), again.predicted.tolist(), again.folds) == ([7, 3], [9.0, 5.0], 4)
    assert again.to_bytes() == TABLE.to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        TABLE.to_bytes()[:100],
        resaved(TABLE.to_bytes(), folds=None),
        resaved(TABLE.to_bytes(), keys=np.asarray([1.0, 2.0])),
        resaved(TABLE.to_bytes(), predicted=np.asarray([1.0])),
        resaved(TABLE.to_bytes(), predicted=np.asarray([1.0, np.nan])),
        resaved(TABLE.to_bytes(), keys=np.asarray([print, 1], dtype=object)),
    ],
    ids=["empty", "half", "no folds", "other keys", "too few", "not finite", "a pickle"],
)
def test_refuses_what_is_none(data: bytes) -> None:
    with pytest.raises(ModelArchiveError, match="no out-of-fold predictions"):
        OutOfFold.from_bytes(data)


def sample() -> Columns:
    survey = parse_survey(base_survey().read_bytes(), "base")
    return {name: np.asarray(values) for name, values in survey.columns.items()}


def test_the_default_errs_no_more_than_a_recipe_of_three_times_the_cost() -> None:
    """0.05 % apart on these simulated animals; half of the trees would be 0.5 % worse."""
    costly = {"eta": 0.03, "num_boost_round": 350, "landmarks": 1000}
    cheap, dear = (
        out_of_fold_scores(cross_fit(learner_of("blend", chosen), sample(), 3), sample())["rmse"]
        for chosen in ({}, costly)
    )
    assert cheap <= 1.0025 * dear


def test_the_defaults_folds_have_the_same_bytes_on_any_number_of_threads() -> None:
    rows, learner = take(sample(), np.arange(900)), learner_of("blend", {})
    tables = [cross_fit(learner, rows, 4, threads=threads).to_bytes() for threads in (1, 2, 4)]
    assert tables[0] == tables[1] == tables[2]


def test_folds_are_fitted_on_no_more_threads_than_asked_for() -> None:
    used = set()

    def noting(columns: Columns, weights: NDArray[np.float64]) -> Model:
        used.add(get_ident())
        return Mean()(columns, weights)

    cross_fit(noting, rows(), 8, threads=1)
    assert len(used) == 1
