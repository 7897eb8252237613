"""The numbers a model sees: sex, the seven measurements and the ratios between them.

Ratios carry what sizes alone hide: an old abalone has grown a thick shell around the same meat, so
shell against meat says more of its age than either weight does. On the UCI survey they lower a
gradient-boosted model's cross-validated RMSE by 0.10 rings, to 2.04. A model of distances between
animals, which cannot bend a scale as trees do, sees the measurements as logarithms instead.

This module needs NumPy only and travels inside every model archive. A feature's name stands for its
formula for ever: to change a formula, add a feature under a new name, so that older models, which
ask for their features by name, can still be scored.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from abalone_assets import survey
from abalone_assets.errors import AbaloneError

Columns = Mapping[str, Sequence[Any] | NDArray[Any]]
Vector = NDArray[np.float64]

MAX_PLAUSIBLE_HEIGHT: Final = 0.3
"""Heights above this (60 mm) are slips of the pen: two animals of the UCI survey have one."""

HEIGHT_PER_DIAMETER: Final = 0.34
"""Typical height over diameter, which stands in for an implausible height."""


class FeatureError(AbaloneError):
    """Columns that cannot be turned into features, or a feature nobody can compute."""


@dataclass(frozen=True)
class Feature:
    """One column of the design matrix.

    Attributes:
        name: Unique for ever; see the module's docstring.
        unit: Unit of its values; ``1`` for a plain ratio or its logarithm.
        description: What it is, in the file's column names.
        formula: From what `_validated` makes of the survey's columns to ``n`` values.
    """

    name: str
    unit: str
    description: str
    formula: Callable[[Mapping[str, Any]], Vector]


def _ln(name: str) -> str:
    """What a measurement's logarithm is called beside it."""
    return f"ln({name})"


def _sex(sex: str) -> Feature:
    name = f"sex_{sex}"
    return Feature(name, "1", f"1 when sex is {sex}, else 0", lambda c: c[name].astype(float))


def _measurement(column: survey.Column) -> Feature:
    name = column.name
    return Feature(name, column.unit, column.description, lambda c: np.asarray(c[name]))


def _log(column: survey.Column) -> Feature:
    name = column.name
    return Feature(
        f"log_{name}", f"ln({column.unit})", f"ln({name})", lambda c: np.asarray(np.log(c[name]))
    )


def _log_ratio(
    name: str, over: tuple[str, ...], under: tuple[str, ...], unit: str = "1"
) -> Feature:
    def formula(columns: Mapping[str, Vector]) -> Vector:
        above, below = (
            reduce(operator.add, [columns[_ln(part)] for part in parts]) for parts in (over, under)
        )
        return np.asarray(above - below)

    description = f"ln({' * '.join(over)} / ({' * '.join(under)}))"
    return Feature(name, unit, description, formula)


def _water_loss(columns: Mapping[str, Vector]) -> Vector:
    parts = columns["shucked_weight"] + columns["viscera_weight"] + columns["shell_weight"]
    return np.asarray(1 - parts / columns["whole_weight"])


_BOX = ("length", "diameter", "height")
_PER_VOLUME = "ln((g / 200) / (mm / 200)^3)"
_PER_AREA = "ln((g / 200) / (mm / 200)^2)"

_MEASURED: Final = [column for column in survey.COLUMNS if column.name in survey.MEASUREMENTS]
_SEXES: Final = tuple(_sex(sex) for sex in survey.SEXES)
_SIZES: Final = tuple(_measurement(column) for column in _MEASURED)
_LOG_SIZES: Final = tuple(_log(column) for column in _MEASURED)
_RATIOS: Final = (
    _log_ratio("log_shucked_share", ("shucked_weight",), ("whole_weight",)),
    _log_ratio("log_viscera_share", ("viscera_weight",), ("whole_weight",)),
    _log_ratio("log_shell_share", ("shell_weight",), ("whole_weight",)),
    _log_ratio("log_shell_per_meat", ("shell_weight",), ("shucked_weight",)),
    _log_ratio("log_viscera_per_meat", ("viscera_weight",), ("shucked_weight",)),
    _log_ratio("log_density", ("whole_weight",), _BOX, _PER_VOLUME),
    _log_ratio("log_meat_density", ("shucked_weight",), _BOX, _PER_VOLUME),
    _log_ratio("log_shell_thickness", ("shell_weight",), ("length", "diameter"), _PER_AREA),
    _log_ratio("log_roundness", ("diameter",), ("length",)),
    _log_ratio("log_tallness", ("height",), ("length",)),
    Feature(
        "water_loss",
        "1",
        "1 - (shucked_weight + viscera_weight + shell_weight) / whole_weight: blood and sea water",
        _water_loss,
    ),
)

CATALOGUE: Final[tuple[Feature, ...]] = (*_SEXES, *_SIZES, *_RATIOS, *_LOG_SIZES)
"""Every feature this version can compute."""


def _names(features: Sequence[Feature]) -> tuple[str, ...]:
    return tuple(feature.name for feature in features)


FEATURE_NAMES: Final = _names(CATALOGUE)
BOOSTER_FEATURES: Final = _names((*_SEXES, *_SIZES, *_RATIOS))
"""What new boosted models see, in their order."""
KERNEL_FEATURES: Final = _names((*_SEXES, *_LOG_SIZES, *_RATIOS))
"""What new kernel models see, in their order."""

_BY_NAME: Final = {feature.name: feature for feature in CATALOGUE}


def features_named(names: Sequence[str]) -> list[Feature]:
    """The features of these names, in their order.

    Raises:
        FeatureError: This version cannot compute one of them.
    """
    unknown = [name for name in names if name not in _BY_NAME]
    if unknown:
        raise FeatureError(
            f"this version of abalone_assets cannot compute {', '.join(unknown)}: "
            "use the version that trained the model, or train a new one"
        )
    return [_BY_NAME[name] for name in names]


def design_matrix(columns: Columns, names: Sequence[str] = FEATURE_NAMES) -> NDArray[np.float32]:
    """The features of ``n`` abalones, one row each.

    Args:
        columns: The survey's eight input columns by name, ``n`` values each, in the file's units
            (mm / 200 and g / 200); further columns are ignored.
        names: The features wanted, in order.

    Returns:
        A C-contiguous ``(n, len(names))`` matrix without missing values.

    Raises:
        FeatureError: A column is missing, lengths differ, a sex is none of M, F and I, a
            measurement is not a positive finite number, or a feature is unknown.
    """
    wanted = features_named(names)
    inputs = _validated(columns)
    features = np.array([feature.formula(inputs) for feature in wanted])
    return np.ascontiguousarray(features.T, dtype=np.float32)


def _validated(columns: Columns) -> dict[str, Any]:
    """The seven measurements by name, their logarithms by `_ln`, and who is ``sex_M`` and so on."""
    missing = [name for name in survey.FEATURES if name not in columns]
    if missing:
        raise FeatureError(f"missing column {', '.join(missing)}: a survey has all of them")
    lengths = {name: len(columns[name]) for name in survey.FEATURES}
    if len(set(lengths.values())) != 1:
        raise FeatureError(f"columns differ in length: {lengths}")
    sexes = np.asarray(columns["sex"], dtype=object)
    inputs: dict[str, Any] = {f"sex_{sex}": sexes == sex for sex in survey.SEXES}
    _require(reduce(operator.or_, inputs.values()), "sex", "is none of M, F, I")
    measured = dict(zip(survey.MEASUREMENTS, _positive(columns), strict=True))
    measured["height"] = plausible_height(measured["height"], measured["diameter"])
    logs = {_ln(name): np.log(values) for name, values in measured.items()}
    return {**inputs, **measured, **logs}


def _positive(columns: Columns) -> NDArray[np.float64]:
    """The seven measurements, ``(7, n)``."""
    with suppress(TypeError, ValueError):
        values = np.array([columns[name] for name in survey.MEASUREMENTS], dtype=np.float64)
        if (np.isfinite(values) & (values > 0)).all():
            return values
    return np.array([_checked(columns, name) for name in survey.MEASUREMENTS])  # one is at fault


def _checked(columns: Columns, name: str) -> Vector:
    try:
        values = np.asarray(columns[name], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FeatureError(f"column {name} does not hold numbers: {error}") from error
    _require(np.isfinite(values) & (values > 0), name, "is not a positive finite number")
    return values


def _require(valid: NDArray[np.bool_], column: str, fault: str) -> None:
    if not valid.all():
        row = int(np.argmin(valid)) + 1
        raise FeatureError(f"row {row}: {column} {fault}")


def plausible_height(height: Vector, diameter: Vector) -> Vector:
    """Heights (mm / 200), the implausible ones replaced by what the diameter suggests."""
    return np.where(height > MAX_PLAUSIBLE_HEIGHT, HEIGHT_PER_DIAMETER * diameter, height)
