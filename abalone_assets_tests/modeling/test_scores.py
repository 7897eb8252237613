from typing import Any

import numpy as np
import pytest

from abalone_assets.modeling.evaluation.importance import permutation_importance
from abalone_assets.modeling.evaluation.slices import slice_masks
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import EvaluationError, bias, mae, pinball, r2, rmse
from abalone_assets_tests.modeling.support import ShellModel, splits

PREDICTED = [10.0, 12.0, 5.0]
ACTUAL = [9, 14, 7]


def test_scores_follow_their_formulas() -> None:
    assert rmse(PREDICTED, ACTUAL) == pytest.approx(3**0.5)
    assert mae(PREDICTED, ACTUAL) == pytest.approx(5 / 3)
    assert bias(PREDICTED, ACTUAL) == pytest.approx(-1)
    assert r2(PREDICTED, ACTUAL) == pytest.approx(1 - 9 / 26)
    assert r2([9.0, 11.0], [10, 10]) is None  # nothing varies


def test_refuses_to_score_nothing_and_predictions_that_do_not_fit_the_rows() -> None:
    with pytest.raises(EvaluationError, match="test split is empty"):
        rmse([], [])
    with pytest.raises(EvaluationError, match="2 predictions for 3 rows"):
        mae([1.0, 2.0], ACTUAL)


def test_every_row_is_in_one_slice_of_each_kind() -> None:
    for masks in slice_masks(splits()["test"]).values():
        assert (np.sum(list(masks.values()), axis=0) == 1).all()


def test_slices_without_rows_are_left_out() -> None:
    columns: dict[str, list[Any]] = {"sex": ["M", "I", "M", "I"], "rings": [5, 6, 16, 30]}
    masks = slice_masks(columns)
    assert {name: mask.tolist() for name, mask in masks["sex"].items()} == {
        "M": [True, False, True, False],
        "I": [False, True, False, True],
    }
    assert list(masks["age_band"]) == ["1-5 rings", "6-10 rings", "16+ rings"]
    assert masks["age_band"]["16+ rings"].tolist() == [False, False, True, True]


def test_pinball_loss_follows_its_formula_and_is_least_at_the_quantile() -> None:
    assert pinball([5.0, 5.0], [7, 4], 0.9) == pytest.approx((0.9 * 2 + 0.1 * 1) / 2)
    actual = np.arange(1000) / 1000
    losses = {level: pinball(np.full(1000, level), actual, 0.05) for level in (0.02, 0.05, 0.1)}
    assert min(losses, key=losses.__getitem__) == 0.05


def test_shuffling_costs_only_where_the_model_looks() -> None:
    model, columns = ShellModel(), splits()["test"]
    columns["rings"] = predict_rings(model, columns) + 1e-9
    importance = permutation_importance(model, columns)
    spread = float(np.std(columns["rings"]))
    # Two independent draws of one distribution differ by the square root of two times its spread.
    assert importance.pop("shell_weight") == pytest.approx(2**0.5 * spread, rel=0.1)
    assert importance == pytest.approx(dict.fromkeys(importance, 0.0), abs=1e-12)
