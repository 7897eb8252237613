"""Pictures of an evaluation for the asset's page, as PNG bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.modeling.plotting import (
    BLUE,
    DPI,
    framed,
    new_figure,
    points_by_sex,
    to_png,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

WIDTH_PIXELS: Final = 640
HEIGHT_PIXELS: Final = 420

_GREY: Final = "#666666"
_SEX_NAMES: Final = {"M": "male", "F": "female", "I": "infant"}


def predicted_against_actual(
    actual: ArrayLike, predicted: ArrayLike, sex: Sequence[str] | NDArray[Any]
) -> bytes:
    """Predicted against counted rings, one point an abalone, with the line of no error."""
    counted, guessed = _floats(actual), _floats(predicted)
    figure, axes = _canvas("Predicted against counted rings")
    points_by_sex(axes, counted, guessed, sex, _SEX_NAMES, s=18, alpha=0.7)
    top = float(max(counted.max(initial=1), guessed.max(initial=1))) + 1
    axes.plot([0, top], [0, top], color=_GREY, linewidth=1, label="no error")
    axes.set(xlabel="counted rings", ylabel="predicted rings", xlim=(0, top), ylim=(0, top))
    axes.legend(frameon=False)
    return to_png(figure)


def residuals(actual: ArrayLike, predicted: ArrayLike, sex: Sequence[str] | NDArray[Any]) -> bytes:
    """Error against counted rings: where the model is too low or too high, and by how much."""
    counted, error = _floats(actual), _floats(predicted) - _floats(actual)
    figure, axes = _canvas("Error by counted rings")
    points_by_sex(axes, counted, error, sex, _SEX_NAMES, s=18, alpha=0.7)
    axes.axhline(0, color=_GREY, linewidth=1)
    axes.set(xlabel="counted rings", ylabel="predicted minus counted rings")
    axes.legend(frameon=False)
    return to_png(figure)


def feature_importance(importance: Mapping[str, float], measure: str, most: int = 12) -> bytes:
    """The features that matter most, the best on top; ``measure`` says what their numbers mean."""
    ranked = sorted(importance.items(), key=lambda item: item[1], reverse=True)[:most]
    names, values = [name for name, _ in ranked], [value for _, value in ranked]
    figure, axes = _canvas("What the model looks at", left=0.29)
    axes.barh(names, values, color=BLUE)
    axes.invert_yaxis()
    axes.set(xlabel=measure)
    axes.grid(visible=False, axis="y")
    return to_png(figure)


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _canvas(title: str, left: float = 0.1) -> tuple[Figure, Axes]:
    figure = new_figure(WIDTH_PIXELS / DPI, HEIGHT_PIXELS / DPI)
    figure.subplots_adjust(left=left, right=0.98, bottom=0.12, top=0.92)
    return figure, framed(figure.add_subplot(), title)
