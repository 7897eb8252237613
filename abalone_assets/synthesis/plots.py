"""Pictures of simulated rows beside real ones, as PNG bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.plotting import BLUE, ORANGE, new_figure, to_png
from abalone_assets.synthesis.quality import NUMBERS, correlations
from abalone_assets.synthesis.representation import STEPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

_REAL, _SIMULATED = BLUE, ORANGE
_BINS: Final = 35
_UNITS: Final = {column.name: column.unit for column in survey.COLUMNS}


def margins(simulated: Columns, real: Columns) -> bytes:
    """The distribution of each measurement, of the rings and of the sexes, simulated over real."""
    figure = new_figure(9.2, 7.2)
    figure.subplots_adjust(left=0.04, right=0.99, bottom=0.04, top=0.96, wspace=0.08, hspace=0.32)
    panels = figure.subplots(3, 3).ravel()
    _sexes(panels[0], simulated, real)
    for axes, name in zip(panels[1:], NUMBERS, strict=True):
        both = [np.asarray(each[name], dtype=np.float64) for each in (real, simulated)]
        edges = _edges(name, np.concatenate(both))
        for values, colour, fill in zip(both, (_REAL, _SIMULATED), (True, False), strict=True):
            axes.hist(
                values, edges, density=True, color=colour, linewidth=1.4,
                histtype="stepfilled" if fill else "step", alpha=0.35 if fill else 1.0,
            )  # fmt: skip
        axes.set_title(f"{name.replace('_', ' ')} ({_UNITS[name]})", loc="left", fontsize=9)
        axes.set_yticks([])
    panels[-1].legend(*panels[0].get_legend_handles_labels(), frameon=False, fontsize=9)
    return _png(figure)


def correlation_maps(simulated: Columns, real: Columns) -> bytes:
    """Correlations of the measurements and the rings: real, simulated, and their difference."""
    figure = new_figure(9.2, 3.6)
    figure.subplots_adjust(left=0.065, right=0.99, bottom=0.16, top=0.93, wspace=0.06)
    found = [correlations(each) for each in (real, simulated)]
    shown = {"real": found[0], "simulated": found[1], "difference": found[1] - found[0]}
    for axes, (title, values) in zip(figure.subplots(1, 3), shown.items(), strict=True):
        reach = 0.2 if title == "difference" else 1.0
        axes.imshow(values, cmap="PuOr", vmin=-reach, vmax=reach)
        axes.set_title(f"{title} (colours from {-reach:g} to {reach:g})", loc="left", fontsize=9)
        names = [name.removesuffix("_weight") for name in NUMBERS]
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
        axes.set_yticks(range(len(names)), names if title == "real" else [], fontsize=7)
        axes.grid(visible=False)
        _numbers(axes, values, reach)
    return _png(figure)


def _sexes(axes: Axes, simulated: Columns, real: Columns) -> None:
    places = np.arange(len(survey.SEXES))
    for offset, columns, colour, label in (
        (-0.2, real, _REAL, "real"),
        (0.2, simulated, _SIMULATED, "simulated"),
    ):
        sexes = np.asarray(columns["sex"]).astype(str)
        shares = [float((sexes == sex).mean()) for sex in survey.SEXES]
        axes.bar(places + offset, shares, 0.38, color=colour, label=label)
    axes.set_xticks(places, survey.SEXES)
    axes.set_title("sex (share)", loc="left", fontsize=9)


def _edges(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of bins, each of as many steps of the instrument, up to the last half percent."""
    step = STEPS.get(name, 1.0)
    low, high = values.min(), np.percentile(values, 99.5)
    width = step * max(1, round((high - low) / step / _BINS))
    return np.arange(low - step / 2, high + width, width)


def _numbers(axes: Axes, values: NDArray[np.float64], reach: float) -> None:
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.4 * reach else "#333333"
        shown = f"{round(value, 2) + 0.0:.2f}"  # + 0.0: without the sign of a negative zero
        axes.text(column, row, shown, ha="center", va="center", fontsize=6, color=colour)


def _png(figure: Figure) -> bytes:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    return to_png(figure)
