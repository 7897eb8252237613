"""Pictures of an evaluation, as PNG bytes.

Matplotlib's figures are used as plain objects, without the global state of pyplot, so that runs in
threads do not draw into each other. Colours are Okabe and Ito's, which colour-blind readers can
tell apart (https://jfly.uni-koeln.de/color/); shapes differ as well.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

WIDTH_PIXELS: Final = 640
HEIGHT_PIXELS: Final = 420
_DPI: Final = 100

_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#E69F00", "#009E73", "#666666"
_SEX_STYLE: Final = {"M": ("o", _BLUE), "F": ("^", _ORANGE), "I": ("s", _GREEN)}
_SEX_NAME: Final = {"M": "male", "F": "female", "I": "infant"}


def predicted_against_actual(
    actual: ArrayLike, predicted: ArrayLike, sex: Sequence[str] | NDArray[Any]
) -> bytes:
    """Predicted against counted rings, one point an abalone, with the line of no error."""
    counted, guessed = _floats(actual), _floats(predicted)
    figure, axes = _canvas("Predicted against counted rings")
    _scatter_by_sex(axes, counted, guessed, sex)
    top = float(max(counted.max(initial=1), guessed.max(initial=1))) + 1
    axes.plot([0, top], [0, top], color=_GREY, linewidth=1, label="no error")
    axes.set(xlabel="counted rings", ylabel="predicted rings", xlim=(0, top), ylim=(0, top))
    axes.legend(frameon=False)
    return _png(figure)


def residuals(actual: ArrayLike, predicted: ArrayLike, sex: Sequence[str] | NDArray[Any]) -> bytes:
    """Error against counted rings: where the model is too low or too high, and by how much."""
    counted, error = _floats(actual), _floats(predicted) - _floats(actual)
    figure, axes = _canvas("Error by counted rings")
    _scatter_by_sex(axes, counted, error, sex)
    axes.axhline(0, color=_GREY, linewidth=1)
    axes.set(xlabel="counted rings", ylabel="predicted minus counted rings")
    axes.legend(frameon=False)
    return _png(figure)


def feature_importance(importance: Mapping[str, float], measure: str, most: int = 12) -> bytes:
    """The features that matter most, the best on top.

    Args:
        importance: By feature name.
        measure: What its numbers mean.
        most: How many to show.
    """
    ranked = sorted(importance.items(), key=lambda item: item[1], reverse=True)[:most]
    names, values = [name for name, _ in ranked], [value for _, value in ranked]
    figure, axes = _canvas("What the model looks at", left=0.29)
    axes.barh(names, values, color=_BLUE)
    axes.invert_yaxis()
    axes.set(xlabel=measure)
    axes.grid(visible=False, axis="y")
    return _png(figure)


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _canvas(title: str, left: float = 0.1) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_PIXELS / _DPI, HEIGHT_PIXELS / _DPI), dpi=_DPI)
    # Fixed margins: a layout engine draws everything a second time to measure it.
    figure.subplots_adjust(left=left, right=0.98, bottom=0.12, top=0.92)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _scatter_by_sex(
    axes: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sex: Sequence[str] | NDArray[Any],
) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    sexes = np.asarray(sex, dtype=object)
    for value, (marker, colour) in _SEX_STYLE.items():
        chosen = sexes == value
        if chosen.any():
            axes.scatter(
                x[chosen], y[chosen], s=18, marker=marker, color=colour, alpha=0.7,
                linewidths=0, label=_SEX_NAME[value],
            )  # fmt: skip


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    # Without the version of Matplotlib in it, the same numbers give the same bytes.
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
