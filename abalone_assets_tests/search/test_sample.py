"""Rows are scored by models that have not seen them, and simulated ones not at all."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from abalone_assets.modeling.dataset import row_keys
from abalone_assets.modeling.scores import rmse
from abalone_assets.modeling.training.cross_fitting import cross_fit
from abalone_assets.search import SearchError
from abalone_assets.search.sample import Sample
from abalone_assets.search.spaces import part_learner
from abalone_assets_tests.search.support import TODAY, rows

RECIPE = part_learner("kernel", {"length_scale": 8.0, "noise": 0.6}, TODAY)


def test_in_the_same_folds_it_predicts_what_a_release_predicts_out_of_fold() -> None:
    columns = rows()
    keys = row_keys(columns)
    sample = replace(Sample.of(columns, 3, 0.1), fold=(keys % np.uint64(3)).astype(np.int64))
    released = cross_fit(RECIPE, columns, 3).predictions_for(keys)
    assert np.array_equal(sample.predictions(RECIPE), released)


def test_the_running_error_ends_with_that_of_all_rows() -> None:
    sample = Sample.of(rows(), 3, 0.1)
    running = list(sample.running_rmse(RECIPE))
    assert len(running) == 3
    assert running[-1] == pytest.approx(rmse(sample.predictions(RECIPE), rows()["rings"]))


def test_simulated_rows_are_learnt_from_and_never_scored() -> None:
    columns = rows()
    origin = np.asarray(["surveyed", "synthetic"], dtype=object)[np.arange(120) % 4 // 3]
    simulated = origin == "synthetic"
    known = {**columns, "origin": origin}
    sample = Sample.of(known, 3, 0.3)
    predicted = sample.predictions(RECIPE)
    assert np.array_equal(np.isnan(predicted), simulated)
    assert sample.squared_errors(predicted).size == 90
    without = Sample.of({name: each[~simulated] for name, each in known.items()}, 3, 0.3)
    assert not np.allclose(predicted[~simulated], without.predictions(RECIPE))


def test_the_gates_folds_the_searchs_and_those_of_the_last_score_owe_each_other_nothing() -> None:
    columns = rows(1000)
    sample = Sample.of(columns, 4, 0.1)
    gate = (row_keys(columns) % np.uint64(4)).astype(np.int64)
    for one, other in combinations((gate, sample.fold, sample.refolded().fold), 2):
        together = np.zeros((4, 4))
        np.add.at(together, (one, other), 1)
        assert together.min() > 35


def test_a_row_keeps_its_fold_when_others_join() -> None:
    few, many = Sample.of(rows(100), 4, 0.1), Sample.of(rows(200), 4, 0.1)
    assert few.fold.tolist() == many.fold[:100].tolist()
    assert few.refolded().fold.tolist() == many.refolded().fold[:100].tolist()


@pytest.mark.parametrize(
    ("count", "folds", "message"),
    [(120, 1, "needs two or more"), (29, 3, "29 surveyed training rows .* wait for 30")],
)
def test_too_little_to_search_on_is_refused(count: int, folds: int, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        Sample.of(rows(count), folds, 0.1)
