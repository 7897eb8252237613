"""What can be chosen about a training: the framework, and its hyperparameters with their ranges.

Each hyperparameter is said here and nowhere else: the entry script's arguments, the asset's config,
their help and what a search tries follow from the fields below. Nothing heavy is imported, so that
the asset may. A framework is named here and is a module of `modeling.frameworks`:
docs/adding-a-framework.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Final, Literal, cast

from abalone_assets.errors import AbaloneError

Framework = Literal["blend", "xgboost", "tensorflow"]
"""What trains: boosted trees and a kernel regression together, the trees alone, or a network.

The last two are named as SageMaker's containers; the network is in Keras 3, for any backend.
"""

SearchedFramework = Literal["blend", "xgboost"]
"""Those whose hyperparameters can be searched."""

DEFAULT_FRAMEWORK: Final[Framework] = "blend"

MAX_SYNTHETIC_SHARE: Final = 0.1
"""The default cap on the share of simulated rows in the weight of training."""


class HyperparameterError(AbaloneError):
    """A hyperparameter is unknown, of the wrong type or outside its range."""


@dataclass(frozen=True)
class Tried:
    """What a search tries of a hyperparameter; the default must be within.

    Attributes:
        low: Least value; integers make a range of integers.
        high: Largest value.
        log: Whether ratios, rather than differences, count.
        step: Distance of the integers tried.
    """

    low: float
    high: float
    log: bool = False
    step: int = 1


def _bounded(
    default: float, low: float, high: float, description: str, tried: Tried | None = None
) -> Any:  # noqa: ANN401 - as dataclasses.field
    metadata = {"low": low, "high": high, "description": description, "tried": tried}
    return field(default=default, metadata=metadata)


def is_tried(hyperparameter: Field[Any]) -> bool:
    """Whether a search tries values of it."""
    return hyperparameter.metadata["tried"] is not None


@dataclass(frozen=True)
class CommonHyperparameters:
    """What every framework takes: numbers that are checked when they are set.

    Each field's ``metadata`` holds its ``description``, ``low`` and ``high``, and ``tried``, what a
    search tries, or None.

    Attributes:
        about: What the framework is, in a sentence for the launchpad.

    Raises:
        HyperparameterError: A value is of the wrong type or out of range, or ``folds`` is 1.
    """

    about: ClassVar[str]

    folds: int = _bounded(
        5, 0, 20, "Folds of the out-of-fold predictions that a release is judged by; 0: none"
    )
    max_synthetic_share: float = _bounded(
        MAX_SYNTHETIC_SHARE, 0.0, 0.99, "Largest share of simulated rows in the weight of training"
    )
    seed: int = _bounded(0, 0, 2**31 - 1, "Seed of everything that is drawn")

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            kinds = (int,) if isinstance(each.default, int) else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise HyperparameterError(
                    f"{each.name} must be {kinds[-1].__name__}, not {value!r}"
                )
            low, high = each.metadata["low"], each.metadata["high"]
            if not low <= value <= high:
                raise HyperparameterError(f"{each.name} must be {low} to {high}, not {value!r}")
        if self.folds == 1:
            raise HyperparameterError("folds must be 0 (none) or 2 to 20, not 1")


@dataclass(frozen=True)
class BoosterHyperparameters(CommonHyperparameters):
    """How to boost.

    The names are XGBoost's, described in its `parameter reference
    <https://xgboost.readthedocs.io/en/stable/parameter.html>`_. The defaults are a cautious recipe
    for some thousand noisy rows: shallow trees, small steps, half of the columns per tree, and as
    many trees as cross-validation finds enough.
    """

    about = "The trees alone."

    eta: float = _bounded(
        0.1, 1e-4, 1.0, "Learning rate: the weight of each tree", Tried(0.01, 0.3, log=True)
    )
    max_depth: int = _bounded(
        4, 1, 16, "Splits between a tree's root and its deepest leaf", Tried(2, 6)
    )
    subsample: float = _bounded(
        0.7, 0.05, 1.0, "Share of the rows drawn for each tree", Tried(0.4, 1.0)
    )
    colsample_bytree: float = _bounded(
        0.6, 0.05, 1.0, "Share of the features drawn for each tree", Tried(0.3, 1.0)
    )
    min_child_weight: float = _bounded(
        10.0, 0.0, 1e4, "Least sum of Hessians in a leaf", Tried(1.0, 100.0, log=True)
    )
    reg_lambda: float = _bounded(
        10.0, 0.0, 1e6, "L2 penalty on the leaves' weights", Tried(0.1, 100.0, log=True)
    )
    num_boost_round: int = _bounded(80, 1, 20_000, "Trees to grow", Tried(50, 800, step=10))


@dataclass(frozen=True)
class KernelHyperparameters(CommonHyperparameters):
    """How to regress by the likeness of animals.

    Lengths are in standard deviations of the features, of which there are 21: two animals drawn at
    random lie some 6 apart.
    """

    length_scale: float = _bounded(
        8.0, 0.01, 1e4, "Distance over which animals are alike", Tried(2.0, 40.0, log=True)
    )
    noise: float = _bounded(
        0.6,
        1e-6,
        1e6,
        "Variance of the rings' logarithm around the likeness",
        Tried(0.03, 5.0, log=True),
    )
    # More of them than the default gain next to nothing and cost time; fewer only lose.
    landmarks: int = _bounded(700, 1, 5000, "Animals that others are compared with")


@dataclass(frozen=True)
class BlendHyperparameters(BoosterHyperparameters, KernelHyperparameters):
    """How to train both parts of a blend, and how much either has to say."""

    about = "Boosted trees and a kernel regression, whose mean is the best model."

    booster_share: float = _bounded(0.5, 0.0, 1.0, "Weight of the boosted trees in the mean")


@dataclass(frozen=True)
class NetworkHyperparameters(CommonHyperparameters):
    """How to train the dense network.

    The defaults scale Keras' own (batches of 32, a learning rate of 0.001) up fourfold, which
    learns the same in a third of the time. Out-of-fold predictions would cost as much again for
    every fold, so there are none unless asked for.
    """

    about = "The dense network, in Keras."

    folds: int = _bounded(0, 0, 20, "Folds of the out-of-fold predictions; 0: none")
    hidden_units: int = _bounded(64, 1, 1024, "Units of each of the two hidden layers")
    learning_rate: float = _bounded(4e-3, 1e-6, 1.0, "Step size of Adam")
    batch_size: int = _bounded(128, 1, 100_000, "Rows of one step")
    epochs: int = _bounded(200, 1, 10_000, "Most passes over the training rows")
    patience: int = _bounded(
        20, 1, 10_000, "Epochs without a better RMSE of the rows held out after which to stop"
    )


HYPERPARAMETERS: Final[Mapping[Framework, type[CommonHyperparameters]]] = {
    "blend": BlendHyperparameters,
    "xgboost": BoosterHyperparameters,
    "tensorflow": NetworkHyperparameters,
}
"""What each framework takes: all frameworks that there are, as `Framework` names them."""


def chosen_hyperparameters(framework: str, given: Mapping[str, Any]) -> CommonHyperparameters:
    """The hyperparameters of a framework, what is not given having its default.

    Raises:
        HyperparameterError: The framework or a name is unknown, or a value is out of range.
    """
    kind = HYPERPARAMETERS.get(cast("Framework", framework))
    if kind is None:
        raise HyperparameterError(
            f"framework must be {' or '.join(HYPERPARAMETERS)}, not {framework!r}"
        )
    names = [each.name for each in fields(kind)]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise HyperparameterError(
            f"{framework} has no hyperparameter {', '.join(unknown)}: it has {', '.join(names)}"
        )
    return kind(**given)


def describe_frameworks(names: Iterable[str] = HYPERPARAMETERS) -> str:
    """What each framework is, a sentence each."""
    return " ".join(
        f"{name}: {kind.about}" for name, kind in HYPERPARAMETERS.items() if name in names
    )


def describe_hyperparameters() -> str:
    """Every framework's hyperparameters, their defaults and ranges, as Markdown."""
    return "\n".join(
        f"- {framework} `{each.name}`: {each.metadata['description']} "
        f"({each.metadata['low']} to {each.metadata['high']}, default {each.default})."
        for framework, kind in HYPERPARAMETERS.items()
        for each in fields(kind)
    )
