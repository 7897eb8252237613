"""Who takes part in the benchmark of quality: ours, and what ours is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.dataset import target
from abalone_assets.modeling.features import BOOSTER_FEATURES, design_matrix
from abalone_assets.modeling.hyperparameters import KernelHyperparameters
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.training.learners import learner_by, learner_of
from abalone_assets.modeling.training.train_kernel import fit_kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import Framework
    from abalone_assets.modeling.training.learners import Learner
    from benchmarks.cross_validation import Fit, Predict

BEST_SEEDS: Final = 5


@dataclass(frozen=True)
class Candidate:
    """One row of the table.

    Attributes:
        label: What it is.
        fit: How it learns.
        package: What must be installed for it.
    """

    label: str
    fit: Fit
    package: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether it can take part."""
        return not self.package or find_spec(self.package) is not None


def our(framework: Framework, hyperparameters: Mapping[str, Any] | None = None) -> Fit:
    """A framework of the platform as it is shipped, or with some hyperparameters changed."""
    return _by(learner_of(framework, hyperparameters or {}))


def _by(learner: Learner) -> Fit:
    def fit(train: Columns) -> Predict:
        model = learner(train, np.ones(len(target(train))))
        return lambda columns: predict_rings(model, columns)

    return fit


def _mean(train: Columns) -> Predict:
    rings = float(target(train).mean())
    return lambda columns: np.full(len(target(columns)), rings)


def _linear(train: Columns) -> Predict:
    weights = np.linalg.lstsq(_raw(train), target(train), rcond=None)[0]
    return lambda columns: np.asarray(_raw(columns) @ weights)


def _raw(columns: Columns) -> NDArray[np.float64]:
    """The seven measurements, and a column for each sex."""
    sex = np.asarray(columns["sex"], dtype=str)
    dummies = [(sex == each).astype(np.float64) for each in survey.SEXES]
    measured = [np.asarray(columns[name], dtype=np.float64) for name in survey.MEASUREMENTS]
    return np.column_stack([*dummies, *measured])


def _xgboost_raw(train: Columns) -> Predict:
    """XGBoost as it comes, with the hundred rounds of its scikit-learn interface."""
    import xgboost

    matrix = xgboost.DMatrix(_raw(train), label=target(train), nthread=1)
    booster = xgboost.train({"nthread": 1}, matrix, num_boost_round=100)
    return lambda columns: np.asarray(booster.inplace_predict(_raw(columns)), dtype=np.float64)


def _book_network(train: Columns) -> Predict:
    from benchmarks.book_network import fit_book_network

    return fit_book_network(train)


def _catboost(train: Columns, seed: int = 0) -> Predict:
    from catboost import CatBoostRegressor

    model = CatBoostRegressor(
        iterations=800, depth=5, learning_rate=0.03, l2_leaf_reg=10, rsm=0.5,
        random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False,
    )  # fmt: skip
    model.fit(design_matrix(train, BOOSTER_FEATURES), target(train))
    return lambda columns: np.asarray(model.predict(design_matrix(columns, BOOSTER_FEATURES)))


def _best(train: Columns) -> Predict:
    """The mean of three: five CatBoost models, five XGBoost models, and the exact kernel."""
    rows = len(target(train))
    families = [
        [_catboost(train, seed) for seed in range(BEST_SEEDS)],
        [our("xgboost", {"seed": seed})(train) for seed in range(BEST_SEEDS)],
        [_by(learner_by(fit_kernel, KernelHyperparameters(landmarks=rows)))(train)],
    ]

    def predict(columns: Columns) -> NDArray[np.float64]:
        means = [np.mean([each(columns) for each in family], axis=0) for family in families]
        return np.asarray(np.mean(means, axis=0))

    return predict


CANDIDATES: Final[Mapping[str, Candidate]] = {
    "mean": Candidate("the mean", _mean),
    "linear": Candidate("linear regression, raw columns", _linear),
    "xgboost_raw": Candidate("XGBoost as it comes, raw columns", _xgboost_raw),
    "book": Candidate("the book's network, 200 epochs", _book_network),
    "network": Candidate("our network (`tensorflow`)", our("tensorflow"), "keras"),
    "catboost": Candidate("CatBoost, our features", _catboost, "catboost"),
    "xgboost": Candidate("our XGBoost (`xgboost`)", our("xgboost")),
    "kernel": Candidate(
        "our kernel regression alone", _by(learner_by(fit_kernel, KernelHyperparameters()))
    ),
    "blend": Candidate("**the default (`blend`)**", our("blend")),
    "best": Candidate("best found: 5 CatBoost, 5 XGBoost, exact kernel", _best, "catboost"),
}
REFERENCE: Final = "blend"
QUICK: Final = tuple(name for name in CANDIDATES if name not in {"book", "network", "best"})
"""Those that fit ten folds within a minute."""
