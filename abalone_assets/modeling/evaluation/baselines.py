"""What anyone could have predicted without learning much: the bar that a model must clear."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.dataset import target
from abalone_assets.modeling.scores import rmse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns


class Baselines(TypedDict):
    """RMSE in rings of each baseline."""

    mean: float
    linear: float


def baselines(train: Columns, test: Columns) -> Baselines:
    """Score the mean of the training rows, and a straight line through them.

    The line is an ordinary least squares fit on the seven measurements and the sex, one column for
    each; of equally good ones the shortest, so that few rows or a missing sex are no problem.

    Raises:
        DatasetError: There are no rows, or no usable rings.
    """
    known, wanted = target(train), target(test)
    weights = np.linalg.lstsq(_design(train), known, rcond=None)[0]
    return {
        "mean": rmse(np.full_like(wanted, known.mean()), wanted),
        "linear": rmse(_design(test) @ weights, wanted),
    }


def _design(columns: Columns) -> NDArray[np.float64]:
    sex = np.asarray(columns["sex"], dtype=object)
    # All three dummies add up to the intercept.
    dummies = [(sex == each).astype(np.float64) for each in survey.SEXES]
    measured = [np.asarray(columns[name], dtype=np.float64) for name in survey.MEASUREMENTS]
    return np.column_stack([*dummies, *measured])
