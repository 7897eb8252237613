"""What all pictures share: colours, frames, and PNG bytes.

Matplotlib's figures are used as plain objects, without the global state of pyplot, so that runs in
threads do not draw into each other. Colours are Okabe and Ito's, which colour-blind readers can
tell apart (https://jfly.uni-koeln.de/color/); shapes differ as well.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
VERMILION: Final = "#D55E00"

DPI: Final = 100
_SEX_STYLES: Final = {"M": ("o", BLUE), "F": ("^", ORANGE), "I": ("s", GREEN)}


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = None) -> Figure:
    """An empty figure, its size in inches; a layout draws everything twice, to measure it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout=layout)


def framed(axes: Axes, title: str, fontsize: float | str = "large") -> Axes:
    """The axes with a title, a quiet grid, and no more frame than needed."""
    axes.set_title(title, loc="left", fontsize=fontsize)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def points_by_sex(
    axes: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sex: Sequence[str] | NDArray[Any],
    names: dict[str, str],
    **style: Any,  # noqa: ANN401 - as Axes.scatter
) -> None:
    """One point an animal, in rings; each sex, named for the legend, has a colour and a shape."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    sexes = np.asarray(sex, dtype=object)
    for value, (marker, colour) in _SEX_STYLES.items():
        chosen = sexes == value
        if chosen.any():
            axes.scatter(
                x[chosen], y[chosen], marker=marker, color=colour, linewidths=0,
                label=names[value], **style,
            )  # fmt: skip


def to_png(figure: Figure) -> bytes:
    """The picture; without Matplotlib's version in it, the same numbers give the same bytes."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
