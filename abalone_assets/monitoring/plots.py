"""Pictures of a drift report, PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.modeling.plotting import BLUE, ORANGE, VERMILION, framed, new_figure, to_png
from abalone_assets.monitoring.drift import MODERATE_PSI, PREDICTION
from abalone_assets.survey import FEATURES, MEASUREMENTS, SEXES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from abalone_assets.monitoring.drift import Reference

_BINS: Final = 30
_LABELS: Final = ("training", "requests")


def distributions(
    reference: Reference,
    columns: Mapping[str, NDArray[Any]],
    predicted: NDArray[np.float64],
    drifted: frozenset[str],
) -> bytes:
    """Each feature, and the prediction, of requests over those of the training split."""
    figure = new_figure(11, 8, layout="constrained")
    axes = figure.subplots(3, 3).ravel()
    _bars(axes[0], reference.columns["sex"], columns["sex"])
    pairs = {name: (reference.columns[name], columns[name]) for name in MEASUREMENTS}
    if reference.predicted.size:
        pairs[PREDICTION] = (reference.predicted, predicted)
    else:
        axes[-1].set_visible(False)
    for place, (before, now) in zip(axes[1:], pairs.values(), strict=False):
        edges = np.linspace(
            min(before.min(), now.min()), np.quantile(np.concatenate([before, now]), 0.999), _BINS
        )
        for values, colour, label in zip((before, now), (BLUE, ORANGE), _LABELS, strict=True):
            shares = np.full(values.size, 1 / values.size)
            place.hist(
                np.minimum(values, edges[-1]), edges, weights=shares, color=colour, alpha=0.55,
                label=label,
            )  # fmt: skip
    for place, name in zip(axes, (*FEATURES, PREDICTION), strict=True):
        title = name.replace("_", " ") + (": drifted" if name in drifted else "")
        framed(place, title, "medium").title.set_color(VERMILION if name in drifted else "black")
    axes[0].legend(loc="lower center")
    return to_png(figure)


def _bars(axes: Axes, reference: NDArray[Any], requests: NDArray[Any]) -> None:
    for offset, values, colour, label in zip(
        (-0.2, 0.2), (reference, requests), (BLUE, ORANGE), _LABELS, strict=True
    ):
        shares = [float(np.mean(np.asarray(values) == sex)) for sex in SEXES]
        axes.bar(np.arange(len(SEXES)) + offset, shares, 0.4, color=colour, label=label)
    axes.set_xticks(np.arange(len(SEXES)), SEXES)


def by_day(psi: Mapping[str, Sequence[tuple[date, float]]]) -> bytes:
    """The population stability index of each feature over the days that had enough requests."""
    figure = new_figure(11, 3.6, layout="constrained")
    axes = framed(figure.subplots(), "population stability index by day")
    axes.axhline(MODERATE_PSI, color=VERMILION, linewidth=1, linestyle="--")
    for name, points in psi.items():
        axes.plot(
            *zip(*points, strict=True), marker="o", markersize=3, label=name.replace("_", " ")
        )
    axes.legend(frameon=False, ncols=3, fontsize="small")
    figure.autofmt_xdate()
    return to_png(figure)
