"""Pictures of a study, as PNG bytes: how it went on, what mattered, and where good values lie."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.modeling.plotting import BLUE, ORANGE, framed, new_figure, to_png
from abalone_assets.search.spaces import SPACES, Dimension
from abalone_assets.search.study import trials_of_part
from abalone_assets.search.suggestion import importances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from abalone_assets.search.spaces import Part
    from abalone_assets.search.study import Study
    from abalone_assets.search.trials import Trial

_COLOURS: Final[dict[Part, str]] = {"booster": BLUE, "kernel": ORANGE}
_GREY: Final = "#999999"
_SLICES_A_ROW: Final = 4


def study_plots(study: Study) -> dict[str, bytes]:
    """Every picture of a study, by name."""
    parts = {part: trials_of_part(study.trials, part) for part in study.plan.parts}
    drawn = {"history": _history(parts), "importances": _importances(parts)}
    return drawn | {f"{part}_slices": _slices(part, trials) for part, trials in parts.items()}


def _history(parts: dict[Part, list[Trial]]) -> bytes:
    """The error of each complete trial, and the least so far."""
    figure = new_figure(6.4, 3.6, "constrained")
    axes = framed(figure.add_subplot(), "Error of the trials, and the least so far", 10)
    for part, trials in parts.items():
        complete = [trial for trial in trials if trial.state == "complete"]
        numbers = [trial.number + 1 for trial in complete]
        errors = [trial.rmse for trial in complete]
        least = np.minimum.accumulate(errors)
        axes.scatter(numbers, errors, s=14, color=_COLOURS[part], alpha=0.6, linewidths=0)
        axes.step(numbers, least, where="post", color=_COLOURS[part], label=part)
        axes.axhline(errors[0], color=_COLOURS[part], linewidth=0.8, linestyle=":")
    # A few hopeless trials would flatten all others.
    seen = [
        trial.rmse for trials in parts.values() for trial in trials if trial.state == "complete"
    ]
    axes.set_ylim(min(seen) - 0.01, float(np.quantile(seen, 0.9)) + 0.02)
    axes.set(xlabel="trial (dotted: today's hyperparameters)", ylabel="RMSE, rings")
    axes.legend(frameon=False)
    return to_png(figure)


def _importances(parts: dict[Part, list[Trial]]) -> bytes:
    """What decides whether a trial is a good one, the most important on top of each part."""
    figure = new_figure(6.4, 3.6, "constrained")
    axes = framed(figure.add_subplot(), "What decides (PED-ANOVA, adds up to 1 in each part)", 10)
    for part, trials in parts.items():
        found = importances(SPACES[part], trials)
        axes.barh([*found], [*found.values()], color=_COLOURS[part], label=part)
    axes.invert_yaxis()
    axes.set(xlabel="share of the variance among the best trials")
    if axes.patches:
        axes.legend(frameon=False)
    return to_png(figure)


def _slices(part: Part, trials: Sequence[Trial]) -> bytes:
    """The error against each hyperparameter, complete trials only; today's are ringed."""
    space = SPACES[part]
    complete = [trial for trial in trials if trial.state == "complete"]
    columns = min(len(space), _SLICES_A_ROW)
    rows = -(-len(space) // columns)
    # Matplotlib's own layouts measure every label of every panel, which takes seconds.
    figure = new_figure(2.4 * columns, 2.3 * rows)
    figure.subplots_adjust(
        0.24 / columns, 0.16 / rows, 1 - 0.06 / columns, 1 - 0.14 / rows, 0.4, 0.5
    )
    for place, dimension in enumerate(space, start=1):
        axes = framed(figure.add_subplot(rows, columns, place), dimension.name, 10)
        _slice(axes, dimension, complete, _COLOURS[part])
    return to_png(figure)


def _slice(axes: Axes, dimension: Dimension, complete: Sequence[Trial], colour: str) -> None:
    values = [trial.hyperparameters[dimension.name] for trial in complete]
    errors = [trial.rmse for trial in complete]
    axes.scatter(values, errors, s=14, color=colour, alpha=0.7, linewidths=0)
    axes.scatter(values[:1], errors[:1], s=60, facecolors="none", edgecolors=_GREY)
    axes.set_ylim(min(errors) - 0.005, float(np.quantile(errors, 0.9)) + 0.01)
    axes.set_xlim(dimension.low * 0.9, dimension.high * 1.1)
    if dimension.log:
        ticks = _decades(dimension)
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    axes.tick_params(labelsize=8)


def _decades(dimension: Dimension) -> list[float]:
    """The ends of a range and the powers of ten between them."""
    powers = range(math.ceil(math.log10(dimension.low)), math.ceil(math.log10(dimension.high)))
    return sorted({dimension.low, *(10.0**power for power in powers), dimension.high})
