from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from abalone_assets.modeling.metrics import (
    EvaluationError,
    bias,
    mae,
    permutation_importance,
    r2,
    rmse,
    slices,
)
from abalone_assets_tests.modeling.support import splits

PREDICTED = [10.0, 12.0, 5.0]
ACTUAL = [9, 14, 7]


def test_scores_follow_their_formulas() -> None:
    assert rmse(PREDICTED, ACTUAL) == pytest.approx(3**0.5)
    assert mae(PREDICTED, ACTUAL) == pytest.approx(5 / 3)
    assert bias(PREDICTED, ACTUAL) == pytest.approx(-1)
    assert r2(PREDICTED, ACTUAL) == pytest.approx(1 - 9 / 26)


def test_no_variance_leaves_r2_undefined() -> None:
    assert r2([9.0, 11.0], [10, 10]) is None


def test_refuses_to_score_nothing() -> None:
    with pytest.raises(EvaluationError, match="test split is empty"):
        rmse([], [])


def test_refuses_predictions_that_do_not_fit_the_rows() -> None:
    with pytest.raises(EvaluationError, match="2 predictions for 3 rows"):
        mae([1.0, 2.0], ACTUAL)


def test_every_row_is_in_one_slice_of_each_kind() -> None:
    columns = splits()["test"]
    predicted = np.full(len(columns["rings"]), 10.0)
    for kind in slices(columns, predicted).values():
        assert sum(part["rows"] for part in kind) == len(predicted)


def test_slices_are_scored_on_their_own_rows() -> None:
    columns: dict[str, list[Any]] = {"sex": ["M", "I", "M", "I"], "rings": [5, 6, 16, 30]}
    sliced = slices(columns, np.asarray([6.0, 6.0, 14.0, 20.0]))
    assert [(part["value"], part["rows"], part["bias"]) for part in sliced["sex"]] == [
        ("M", 2, -0.5),
        ("I", 2, -5.0),
    ]
    assert [(part["value"], part["rmse"]) for part in sliced["age_band"]] == [
        ("1-5 rings", 1.0),
        ("6-10 rings", 0.0),
        ("16+ rings", pytest.approx(52**0.5)),
    ]


class LengthModel:
    """Predicts ten rings for each unit of length."""

    features = ("length",)

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(matrix[:, 0], dtype=np.float64) * 10

    def importance(self) -> None:
        return None


def test_shuffling_costs_only_where_the_model_looks() -> None:
    columns = splits()["test"]
    columns = columns | {"rings": columns["length"] * 10 + 1e-9}
    importance = permutation_importance(LengthModel(), columns)
    spread = float(np.std(columns["length"] * 10))
    # Two independent draws of one distribution differ by the square root of two times its spread.
    assert importance.pop("length") == pytest.approx(2**0.5 * spread, rel=0.1)
    assert importance == pytest.approx(dict.fromkeys(importance, 0.0), abs=1e-12)
