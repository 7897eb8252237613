"""How to fit a model of a framework once more, on other rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import (
    CommonHyperparameters,
    HyperparameterError,
    chosen_hyperparameters,
)
from abalone_assets.modeling.training.weights import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.framework import Fit
    from abalone_assets.modeling.models.model import Model

    Learner = Callable[[Columns, NDArray[np.float64]], Model]
    """Fits rows, the nine survey columns by name, of which each counts by its weight, ``(n,)``."""


def learner_of(
    framework: str, hyperparameters: Mapping[str, Any] | CommonHyperparameters
) -> Learner:
    """A framework's learner: its fastest fit, in one thread and without a history.

    The hyperparameters are checked ones, or values by name, of which what is not given has its
    default.

    Returns:
        What fits a model; it raises `FeatureError` and `DatasetError` as `train.fit` does. Rows
        that weigh nothing are left out.

    Raises:
        HyperparameterError: The framework or a name is unknown, or a value is out of range.
    """
    if isinstance(hyperparameters, Mapping):
        chosen = chosen_hyperparameters(framework, hyperparameters)
    else:
        chosen = hyperparameters
        defaults = chosen_hyperparameters(framework, {})
        if not isinstance(chosen, type(defaults)):
            raise HyperparameterError(f"{framework} does not take {type(chosen).__name__}")
    return learner_by(framework_named(framework).fit, chosen)


def learner_by(fit: Fit, chosen: CommonHyperparameters) -> Learner:
    """The learner that fits with these hyperparameters; see `learner_of`."""
    return lambda columns, weights: fit(*counted(columns, weights), chosen)
