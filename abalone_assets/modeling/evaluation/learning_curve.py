"""What each survey was worth: the same recipe on ever more of the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

import numpy as np

from abalone_assets.errors import SurveyError
from abalone_assets.modeling.dataset import row_keys, take, target
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import rmse
from abalone_assets.modeling.training.parallel import parallel_map
from abalone_assets.survey import survey_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.models.model import Model

BASE_SHARES: Final = (25, 50, 75, 100)
"""Percent of the base survey at the first points."""

MOST_SURVEY_POINTS: Final = 4
LEAST_ROWS: Final = 50
"""A recipe's score on fewer rows says little of the recipe."""


class CurvePoint(TypedDict):
    """RMSE in rings on the test rows of a model that learnt from ``train_rows`` rows.

    ``label`` is the last survey among them, such as ``abalone.20250301120000``, or the share of the
    base survey, such as ``50 % of the base survey``.
    """

    label: str
    train_rows: int
    rmse: float


class _Step(NamedTuple):
    label: str
    rows: NDArray[np.bool_]


def learning_curve(
    refit: Callable[[Columns], Model],
    train: Columns,
    test: Columns,
    rmse_of_all: float,
    *,
    threads: int | None = None,
) -> list[CurvePoint]:
    """Refit on growing parts of the training rows, in the order in which the surveys came.

    The base survey is cut into quarters by the rows' keys, so that a row is in the same quarter for
    ever; later surveys are added by time, in at most `MOST_SURVEY_POINTS` steps.

    Args:
        refit: Trains a model on some rows, in any thread.
        train: The training split with ``source_file``; without it, all is the base survey.
        test: The rows to score on.
        rmse_of_all: The score of the model of all rows, which is not trained again.
        threads: Models that are fitted at the same time; see `parallel_map`.

    Returns:
        A point for each step, by the number of rows; steps of fewer than `LEAST_ROWS` rows are left
        out, the last one is always there.
    """
    wanted = target(test)
    *steps, whole = _steps(train)

    def point(step: _Step) -> CurvePoint:
        score = rmse(predict_rings(refit(take(train, step.rows)), test), wanted)
        return {"label": step.label, "train_rows": int(step.rows.sum()), "rmse": score}

    return [
        *parallel_map(point, [each for each in steps if each.rows.sum() >= LEAST_ROWS], threads),
        {"label": whole.label, "train_rows": int(whole.rows.sum()), "rmse": rmse_of_all},
    ]


def _steps(train: Columns) -> list[_Step]:
    keys = row_keys(train)
    sources = np.asarray(train.get("source_file", [""] * len(keys)), dtype=object)
    surveys = sorted({source for source in sources if _is_survey(source)})
    in_base = ~np.isin(sources.astype(str), np.asarray(surveys, dtype=str))
    steps = list(_base_steps(keys, in_base))
    for group in _groups(surveys):
        known = surveys[: surveys.index(group[-1]) + 1]
        rows = in_base | np.isin(sources.astype(str), np.asarray(known, dtype=str))
        steps.append(_Step(group[-1], rows))
    return steps


def _base_steps(keys: NDArray[np.uint64], in_base: NDArray[np.bool_]) -> list[_Step]:
    if not in_base.any():
        return []
    rank = np.full(len(keys), len(keys), dtype=np.int64)
    rank[in_base] = np.argsort(np.argsort(keys[in_base], kind="stable"), kind="stable")
    count = int(in_base.sum())
    return [
        _Step(
            "the base survey" if share == BASE_SHARES[-1] else f"{share} % of the base survey",
            in_base & (rank * 100 < count * share),
        )
        for share in BASE_SHARES
    ]


def _is_survey(source: str) -> bool:
    """Whether a file's name tells its time: the base survey's does not."""
    try:
        survey_time(source)
    except SurveyError:
        return False
    return True


def _groups(surveys: Sequence[str]) -> list[list[str]]:
    """Surveys in time order, in groups that are as equal as can be."""
    parts = np.array_split(np.asarray(surveys, dtype=object), MOST_SURVEY_POINTS)
    return [list(part) for part in parts if len(part)]
