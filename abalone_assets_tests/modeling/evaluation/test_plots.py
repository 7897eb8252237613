import io
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.image import imread

from abalone_assets.modeling.evaluation import plots

RINGS = np.arange(1, 30).repeat(10)
PREDICTED = RINGS * 0.8 + np.linspace(0, 4, RINGS.size)
SEX = np.asarray(["M", "F", "I"])[np.arange(RINGS.size) % 3]
PICTURES: dict[str, Callable[[], bytes]] = {
    "predicted against actual": lambda: plots.predicted_against_actual(RINGS, PREDICTED, SEX),
    "residuals": lambda: plots.residuals(RINGS, PREDICTED, SEX),
    "feature importance": lambda: plots.feature_importance(
        {f"f{i}": float(i - 3) for i in range(21)}, "rings"
    ),
    "one abalone": lambda: plots.predicted_against_actual([9], [10.5], ["I"]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_is_a_small_png_that_is_the_same_each_time(name: str) -> None:
    picture = PICTURES[name]()
    assert imread(io.BytesIO(picture), format="png").shape[:2] == (420, 640)
    assert len(picture) < 60_000
    assert PICTURES[name]() == picture


def test_shows_the_error_of_each_animal() -> None:
    exact = plots.residuals(RINGS, RINGS, SEX)
    assert plots.residuals(RINGS, RINGS + 2, SEX) != exact


def test_ranks_features_by_gain() -> None:
    assert plots.feature_importance({"a": 1.0, "b": 2.0}, "gain") == plots.feature_importance(
        {"b": 2.0, "a": 1.0}, "gain"
    )
