"""What can be chosen about a training: the framework, and its hyperparameters with their ranges.

Each hyperparameter is said here and nowhere else: the entry scripts' arguments, the asset's config
and their help follow from the fields below. Nothing heavy is imported, so that the asset may.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal

from abalone_assets.errors import AbaloneError

Framework = Literal["xgboost", "tensorflow"]
"""Named as SageMaker names its containers; the network is written in Keras 3, for any backend."""


class HyperparameterError(AbaloneError):
    """A hyperparameter is unknown, of the wrong type or outside its range."""


def _bounded(default: float, low: float, high: float, description: str) -> Any:  # noqa: ANN401 - as dataclasses.field
    return field(default=default, metadata={"low": low, "high": high, "description": description})


@dataclass(frozen=True)
class Hyperparameters:
    """Numbers that are checked when they are set.

    Each field's ``metadata`` holds its ``description``, ``low`` and ``high``.

    Raises:
        HyperparameterError: A value is of the wrong type or out of range.
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            kinds = (int,) if isinstance(each.default, int) else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise HyperparameterError(
                    f"{each.name} must be {kinds[-1].__name__}, not {value!r}"
                )
            low, high = each.metadata["low"], each.metadata["high"]
            if not (math.isfinite(value) and low <= value <= high):
                raise HyperparameterError(f"{each.name} must be {low} to {high}, not {value!r}")


@dataclass(frozen=True)
class BoosterHyperparameters(Hyperparameters):
    """How to boost.

    The names are XGBoost's, described in its `parameter reference
    <https://xgboost.readthedocs.io/en/stable/parameter.html>`_. The defaults are a cautious recipe
    for some thousand noisy rows: shallow trees, small steps, half of the columns per tree.
    """

    eta: float = _bounded(0.03, 1e-4, 1.0, "Learning rate: the weight of each tree")
    max_depth: int = _bounded(4, 1, 16, "Splits between a tree's root and its deepest leaf")
    subsample: float = _bounded(0.7, 0.05, 1.0, "Share of the rows drawn for each tree")
    colsample_bytree: float = _bounded(0.6, 0.05, 1.0, "Share of the features drawn for each tree")
    min_child_weight: float = _bounded(10.0, 0.0, 1e4, "Least sum of Hessians in a leaf")
    reg_lambda: float = _bounded(10.0, 0.0, 1e6, "L2 penalty on the leaves' weights")
    num_boost_round: int = _bounded(2000, 1, 20_000, "Most trees to grow")
    early_stopping_rounds: int = _bounded(
        100, 1, 20_000, "Rounds without a better validation RMSE after which to stop"
    )
    seed: int = _bounded(0, 0, 2**31 - 1, "Seed of the row and feature draws")

    def booster_parameters(self) -> dict[str, Any]:
        """The part of them that XGBoost's ``params`` takes."""
        parameters = asdict(self)
        del parameters["num_boost_round"], parameters["early_stopping_rounds"]
        return parameters


@dataclass(frozen=True)
class NetworkHyperparameters(Hyperparameters):
    """How to train the dense network.

    The defaults scale Keras' own (batches of 32, a learning rate of 0.001) up fourfold, which
    learns the same in a third of the time.
    """

    hidden_units: int = _bounded(64, 1, 1024, "Units of each of the two hidden layers")
    learning_rate: float = _bounded(4e-3, 1e-6, 1.0, "Step size of Adam")
    batch_size: int = _bounded(128, 1, 100_000, "Rows of one step")
    epochs: int = _bounded(200, 1, 10_000, "Most passes over the training rows")
    patience: int = _bounded(
        20, 1, 10_000, "Epochs without a better validation RMSE after which to stop"
    )
    seed: int = _bounded(0, 0, 2**31 - 1, "Seed of the first weights and of the order of rows")


HYPERPARAMETERS: Final[Mapping[Framework, type[Hyperparameters]]] = {
    "xgboost": BoosterHyperparameters,
    "tensorflow": NetworkHyperparameters,
}
"""What each framework's entry script takes."""


def check_hyperparameters(framework: Framework, given: Mapping[str, Any]) -> None:
    """Refuse, before a job is paid for, what its entry script would refuse.

    Args:
        framework: Which script will train.
        given: Values by name; what is missing has the script's default.

    Raises:
        HyperparameterError: A name is unknown to the framework, or a value is out of range.
    """
    kind = HYPERPARAMETERS[framework]
    names = [each.name for each in fields(kind)]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise HyperparameterError(
            f"{framework} has no hyperparameter {', '.join(unknown)}: it has {', '.join(names)}"
        )
    kind(**given)


def describe_hyperparameters() -> str:
    """Every framework's hyperparameters, their defaults and ranges, as Markdown."""
    return "\n".join(
        f"- {framework} `{each.name}`: {each.metadata['description']} "
        f"({each.metadata['low']} to {each.metadata['high']}, default {each.default})."
        for framework, kind in HYPERPARAMETERS.items()
        for each in fields(kind)
    )
