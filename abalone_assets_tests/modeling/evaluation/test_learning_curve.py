from bisect import insort
from typing import Any

import numpy as np
import pytest

from abalone_assets.modeling.dataset import concat, row_keys, take
from abalone_assets.modeling.evaluation.learning_curve import learning_curve
from abalone_assets_tests.modeling.support import ShellModel, rows

TEST = rows(1000, 1100)
SURVEYS = [f"abalone.2025030{day}120000" for day in range(1, 7)]


class Refits:
    """Remembers the rows of each refit, the fewest first."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(self, columns: Any) -> ShellModel:
        insort(self.rows, columns, key=lambda rows: len(rows["rings"]))
        return ShellModel(shift=1000 / len(columns["rings"]))


def train(surveys: list[str], base: int = 400) -> dict[str, Any]:
    first = [rows(0, base)] if base else []
    later = [rows(400 + 60 * n, 460 + 60 * n, name) for n, name in enumerate(surveys)]
    return concat([*later[::-1], *first])  # rows come in no order of time


def test_the_base_survey_grows_by_quarters_and_surveys_follow_by_time() -> None:
    refits = Refits()
    curve = learning_curve(refits, train(SURVEYS[:3]), TEST, rmse_of_all=2.0)
    assert [point["train_rows"] for point in curve] == [100, 200, 300, 400, 460, 520, 580]
    assert [point["label"] for point in curve] == [
        *(f"{share} % of the base survey" for share in (25, 50, 75)),
        "the base survey",
        *SURVEYS[:3],
    ]
    assert curve[-1]["rmse"] == 2.0
    assert curve[0]["rmse"] > curve[3]["rmse"]
    assert len(refits.rows) == 6
    for smaller, larger in zip(refits.rows, refits.rows[1:], strict=False):
        assert np.isin(row_keys(smaller), row_keys(larger)).all()


def test_a_row_is_in_the_same_quarter_whatever_the_order() -> None:
    columns = train([])
    quarters = []
    for order in (np.arange(400), np.arange(400)[::-1]):
        refits = Refits()
        learning_curve(refits, take(columns, order), TEST, 2.0)
        quarters.append(set(row_keys(refits.rows[0])))
    assert quarters[0] == quarters[1]


def test_many_surveys_are_grouped_to_four_steps() -> None:
    curve = learning_curve(Refits(), train(SURVEYS), TEST, 2.0)
    labels = [point["label"] for point in curve[4:]]
    assert labels == [SURVEYS[1], SURVEYS[3], SURVEYS[4], SURVEYS[5]]
    assert [point["train_rows"] for point in curve[4:]] == [520, 640, 700, 760]


def test_steps_of_a_few_rows_are_left_out_but_the_last() -> None:
    curve = learning_curve(Refits(), train([], 120), TEST, 2.0)
    assert [point["train_rows"] for point in curve] == [60, 90, 120]
    refits = Refits()
    assert learning_curve(refits, train([], 10), TEST, 2.0) == [
        {"label": "the base survey", "train_rows": 10, "rmse": 2.0}
    ]
    assert not refits.rows


@pytest.mark.parametrize("known", [True, False])
def test_surveys_alone_and_rows_of_unknown_origin_have_a_curve(*, known: bool) -> None:
    columns = train(SURVEYS[:2], base=0)
    if not known:
        del columns["source_file"]
    curve = learning_curve(Refits(), columns, TEST, 2.0)
    expected = SURVEYS[:2] if known else ["50 % of the base survey", "75 % of the base survey"]
    assert [point["label"] for point in curve][:2] == expected
