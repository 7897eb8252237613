"""How to fit a model of a framework once more, on other rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.hyperparameters import (
    CommonHyperparameters,
    HyperparameterError,
    KernelHyperparameters,
    chosen_hyperparameters,
)
from abalone_assets.modeling.training import train_blend, train_booster, train_network
from abalone_assets.modeling.training.train_kernel import fit_kernel
from abalone_assets.modeling.training.weights import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
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
    refit = _REFITS[framework]
    return lambda columns, weights: refit(*counted(columns, weights), chosen)


def kernel_learner(chosen: KernelHyperparameters) -> Learner:
    """The learner of a blend's kernel regression alone; see `learner_of`."""
    return lambda columns, weights: fit_kernel(*counted(columns, weights), chosen)


_REFITS: Final[Mapping[str, Callable[..., Model]]] = {
    "blend": train_blend.fit_blend,
    "xgboost": train_booster.fit_booster,
    "tensorflow": train_network.fit_network,
}
