"""Trees as arrays answer as XGBoost does, to the last bit, or are not used at all."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from abalone_assets.modeling.features import BOOSTER_FEATURES, design_matrix
from abalone_assets.modeling.models.booster import FEW_ROWS, BoosterModel, read_booster
from abalone_assets.modeling.models.trees import Trees, compiled
from abalone_assets_tests.modeling.support import quick_model, splits


@cache
def model() -> BoosterModel:
    return read_booster(quick_model().files["model.ubj"], Path("model.ubj"))


def boosted(matrix: NDArray[np.float32], **parameters: Any) -> xgboost.Booster:
    random = np.random.default_rng(1)
    data = xgboost.DMatrix(matrix, label=random.poisson(8, len(matrix)) + 1.0, nthread=1)
    return xgboost.train({"objective": "count:poisson", "nthread": 1, **parameters}, data, 20)


def noise(rows: int = 400, columns: int = 5) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)


@pytest.mark.parametrize("rows", [1, 2, FEW_ROWS, FEW_ROWS + 1])
def test_a_few_rows_have_the_answers_that_they_have_among_many(rows: int) -> None:
    matrix = design_matrix(splits()["test"], BOOSTER_FEATURES)
    many = model().predict(matrix)
    wanted = model().booster.inplace_predict(matrix)
    assert np.array_equal(many, wanted.astype(np.float64))
    parts = [model().predict(matrix[at : at + rows]) for at in range(0, len(matrix), rows)]
    assert np.array_equal(np.concatenate(parts), many)
    assert model().predict(matrix[:0]).shape == (0,)


@settings(max_examples=15, deadline=None)
@given(
    depth=st.integers(1, 7),
    seed=st.integers(0, 99),
    eta=st.sampled_from([0.03, 0.3]),
    grow=st.sampled_from(["depthwise", "lossguide"]),
)
def test_any_trees_that_xgboost_grows_are_the_same_as_arrays(
    depth: int, seed: int, eta: float, grow: str
) -> None:
    matrix = noise()
    booster = boosted(matrix, max_depth=depth, seed=seed, subsample=0.5, eta=eta, grow_policy=grow)
    trees = compiled(booster)
    assert trees is not None
    assert np.array_equal(trees.predict(matrix), booster.inplace_predict(matrix))


def test_a_forest_of_stumps_that_never_split_is_one_number() -> None:
    matrix = noise()
    booster = boosted(matrix, min_child_weight=1e9)
    trees = compiled(booster)
    assert isinstance(trees, Trees)
    assert trees.depth == 0
    assert np.array_equal(trees.predict(matrix), booster.inplace_predict(matrix))


@pytest.mark.parametrize(
    "parameters",
    [{"objective": "reg:squarederror"}, {"booster": "dart", "rate_drop": 0.5}],
)
def test_what_arrays_cannot_say_xgboost_answers(parameters: dict[str, Any]) -> None:
    matrix = noise()
    booster = boosted(matrix, **parameters)
    assert compiled(booster) is None
    wanted = booster.inplace_predict(matrix[:1]).astype(np.float64)
    assert np.array_equal(BoosterModel(booster).predict(matrix[:1]), wanted)
