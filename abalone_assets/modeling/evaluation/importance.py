"""What a model looks at: its own account, or else what shuffled columns tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import rmse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.models.model import Model

GAIN: Final = "mean gain of the splits on a feature (Poisson loss)"
PERMUTATION: Final = "rise of the RMSE, in rings, when a column is shuffled"

SHUFFLES: Final = 10
"""Of each column; their mean has a third of the noise of one."""


class Importance(TypedDict):
    """As the evaluation document tells it: the best feature first."""

    feature_importance: dict[str, float]
    importance_measure: str


NO_IMPORTANCE: Final[Importance] = {"feature_importance": {}, "importance_measure": ""}


def importance(model: Model, test: Columns) -> Importance:
    """The model's own account of its features, or else what the test split tells."""
    own = model.importance()
    measured = permutation_importance(model, test) if own is None else own
    ranked = sorted(measured.items(), key=lambda item: -item[1])
    return {
        "feature_importance": dict(ranked),
        "importance_measure": PERMUTATION if own is None else GAIN,
    }


def permutation_importance(model: Model, columns: Columns) -> dict[str, float]:
    """How much the RMSE, in rings, grows when one column's values are dealt out anew.

    The mean over `SHUFFLES` shuffles, the same ones each time, after Breiman, *Random forests*,
    Machine Learning 45 (2001), section 10. Near 0, or below it by chance: the model does without
    the column, or with one much like it.

    Raises:
        EvaluationError: No rows.
    """
    actual = np.asarray(columns[survey.TARGET], dtype=np.float64)
    whole = rmse(predict_rings(model, columns), actual)
    random = np.random.default_rng(0)
    orders = [random.permutation(actual.size) for _ in range(SHUFFLES)]

    def shuffled(name: str, order: NDArray[np.int64]) -> float:
        dealt = {**columns, name: np.asarray(columns[name])[order]}
        return rmse(predict_rings(model, dealt), actual)

    return {
        name: float(np.mean([shuffled(name, order) for order in orders])) - whole
        for name in survey.FEATURES
    }
