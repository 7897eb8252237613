"""The charts of the report on an evaluation, each an SVG element."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.modeling.evaluation.report.canvas import (
    GRID,
    INK,
    MUTED,
    WHITE,
    canvas,
    legend,
    name_rows,
    to_svg,
)
from abalone_assets.modeling.plotting import BLUE, GREEN, ORANGE, VERMILION, points_by_sex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from abalone_assets.modeling.evaluation.document import Slice
    from abalone_assets.modeling.evaluation.evaluate import Predictions
    from abalone_assets.modeling.evaluation.learning_curve import CurvePoint
    from abalone_assets.modeling.evaluation.paired import Comparison

SEX_NAMES: Final = {"M": "males", "F": "females", "I": "infants"}
_DECILES: Final = 10
_MANY_POINTS: Final = 1500
"""More are drawn as one picture within the chart, or the page would be slow."""


def named(value: str) -> str:
    """A slice as people call it."""
    return SEX_NAMES.get(value, value)


def forest(comparisons: Sequence[Comparison], margin: float | None) -> str:
    """Differences to the champion with their intervals; left of the line is better."""
    names = [f"{named(each['value'])}  ({each['rows']:,})" for each in comparisons]
    figure, axes = canvas(0.75 + 0.32 * len(names), left=0.3)
    axes.axvline(0, color=MUTED, linewidth=1)
    if margin is not None:
        axes.axvline(margin, color=VERMILION, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.text(margin, -0.42, "allowed ", color=VERMILION, fontsize=8.5, ha="right")
    for place, each in enumerate(comparisons):
        colour = GREEN if each["high"] < 0 else VERMILION if each["low"] > 0 else BLUE
        axes.plot([each["low"], each["high"]], [place] * 2, color=colour, linewidth=2)
        axes.plot(each["difference"], place, "D" if not place else "o", color=colour, markersize=7)
    name_rows(axes, names)
    axes.set_xlabel("RMSE minus the champion's, in rings")
    return to_svg(figure, "forest", "Differences of the RMSE to the champion's, by slice")


def predicted_and_counted(predictions: Predictions) -> str:
    """Predicted against counted rings; whole numbers are spread sideways to be seen."""
    counted, predicted = predictions.actual, predictions.predicted
    figure, axes = canvas(3.6)
    spread = np.random.default_rng(0).uniform(-0.3, 0.3, counted.size)
    _points_by_sex(axes, predictions, counted + spread, predicted)
    top = float(max(counted.max(), predicted.max())) + 1
    axes.plot([0, top], [0, top], color=MUTED, linewidth=1)
    axes.set(xlabel="counted rings", ylabel="predicted rings", xlim=(0, top), ylim=(0, top))
    legend(figure, axes)
    return to_svg(figure, "scatter", "Predicted against counted rings, one point an animal")


def residuals(predictions: Predictions) -> str:
    """Error against prediction: what the model's answer alone tells of its error."""
    figure, axes = canvas(3.6)
    errors = predictions.predicted - predictions.actual
    _points_by_sex(axes, predictions, predictions.predicted, errors)
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.set(xlabel="predicted rings", ylabel="predicted minus counted rings")
    legend(figure, axes)
    return to_svg(figure, "residuals", "Errors against predicted rings, one point an animal")


def _points_by_sex(
    axes: Axes, predictions: Predictions, x: NDArray[np.float64], y: NDArray[np.float64]
) -> None:
    points_by_sex(
        axes, x, y, predictions.columns["sex"], SEX_NAMES,
        s=16, alpha=0.6, rasterized=x.size > _MANY_POINTS,
    )  # fmt: skip


def calibration(predictions: Predictions) -> str:
    """Mean counted against mean predicted rings in tenths of the animals, by prediction."""
    order = np.argsort(predictions.predicted, kind="stable")
    groups = [part for part in np.array_split(order, min(_DECILES, len(order))) if part.size]
    counted = [predictions.actual[part] for part in groups]
    predicted = [float(predictions.predicted[part].mean()) for part in groups]
    means = [float(part.mean()) for part in counted]
    swings = [1.96 * float(part.std(ddof=1)) / math.sqrt(part.size) if part.size > 1 else 0.0
              for part in counted]  # fmt: skip
    figure, axes = canvas(3.6)
    low, high = min(*predicted, *means) - 1, max(*predicted, *means) + 1
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1)
    axes.errorbar(predicted, means, swings, fmt="o", color=BLUE, markersize=6, elinewidth=1.5)
    axes.set(xlabel="mean predicted rings", ylabel="mean counted rings")
    return to_svg(figure, "calibration", "Mean counted against mean predicted rings by tenths")


def error_by_slice(slices: Sequence[Slice]) -> str:
    """RMSE with its interval, and bias, by slice."""
    figure, axes = canvas(0.75 + 0.36 * len(slices), left=0.27)
    axes.axvline(0, color=MUTED, linewidth=1)
    for place, each in enumerate(slices):
        axes.plot([each["rmse_low"], each["rmse_high"]], [place] * 2, color=BLUE, linewidth=2)
    places = range(len(slices))
    axes.plot([each["rmse"] for each in slices], places, "o", color=BLUE, label="RMSE")
    axes.plot(
        [each["bias"] for each in slices], places, "D", color=ORANGE, markersize=5, label="bias"
    )
    name_rows(axes, [f"{named(each['value'])}  ({each['rows']:,})" for each in slices])
    axes.set_xlabel("rings")
    legend(figure, axes)
    return to_svg(figure, "slices", "RMSE and bias by sex and by age band")


def coverage(slices: Sequence[Slice], wanted: float) -> str:
    """Share of animals within their prediction interval, with Wilson's 95 % interval."""
    figure, axes = canvas(0.75 + 0.36 * len(slices), left=0.27)
    axes.axvline(100 * wanted, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    for place, each in enumerate(slices):
        share = each["coverage"] or 0.0
        low, high = wilson(share, each["rows"])
        colour = BLUE if low <= wanted <= high else VERMILION
        axes.plot([100 * low, 100 * high], [place] * 2, color=colour, linewidth=2)
        axes.plot(100 * share, place, "o", color=colour)
    name_rows(axes, [f"{named(each['value'])}  ({each['rows']:,})" for each in slices])
    axes.set(xlabel="animals within their interval, %", xlim=(None, 101))
    return to_svg(figure, "coverage", "Coverage of the prediction intervals by slice")


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share (Journal of the American Statistical Association 22, 1927)."""
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def bars(values: dict[str, float], label: str, name: str) -> str:
    """Numbers by name, the first on top."""
    figure, axes = canvas(0.75 + 0.3 * len(values), left=0.36)
    axes.barh(range(len(values)), list(values.values()), height=0.62, color=BLUE)
    name_rows(axes, list(values))
    axes.set_xlabel(label)
    return to_svg(figure, name, label)


def swarm(effects: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> str:
    """What each feature does to each animal's prediction.

    Args:
        effects: By the feature's name, the effect in ln(rings) and the feature's value, each one
            number an animal.
    """
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = canvas(0.85 + 0.38 * len(effects), left=0.36)
    shades = LinearSegmentedColormap.from_list("low to high", [BLUE, "#CC79A7", ORANGE])
    axes.axvline(0, color=MUTED, linewidth=1)
    random = np.random.default_rng(0)
    for place, (effect, value) in enumerate(effects.values()):
        ranks = np.argsort(np.argsort(value, kind="stable"), kind="stable") / max(len(value) - 1, 1)
        axes.scatter(
            100 * np.expm1(effect),
            place + _spread(effect) * random.uniform(-0.4, 0.4, effect.size),
            c=ranks, cmap=shades, s=7, alpha=0.8, linewidths=0, rasterized=True,
        )  # fmt: skip
    name_rows(axes, list(effects))
    axes.set_xlabel("change of the predicted rings, %")
    return to_svg(figure, "swarm", "Effect of each feature on each animal's prediction")


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How thick a swarm is at each of its points: the share of points near it, 1 at most."""
    counts, edges = np.histogram(values, bins=40)
    near = counts[np.clip(np.digitize(values, edges) - 1, 0, len(counts) - 1)]
    return np.asarray(near / counts.max())


def learning_curve(points: Sequence[CurvePoint], linear: float) -> str:
    """RMSE on the test rows by the number of training rows."""
    figure, axes = canvas(3.2)
    rows = [point["train_rows"] for point in points]
    axes.axhline(linear, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 3)), label="straight line")
    axes.plot(rows, [point["rmse"] for point in points], "o-", color=BLUE, label="this recipe")
    axes.set(xlabel="training rows", ylabel="RMSE on the test rows, rings", xlim=(0, None))
    legend(figure, axes)
    return to_svg(figure, "curve", "RMSE by the number of training rows")


def against_baselines(scores: dict[str, float], interval: tuple[float, float]) -> str:
    """RMSE of the baselines and, last and with its interval, of the model."""
    figure, axes = canvas(0.75 + 0.4 * len(scores), left=0.27)
    places = list(range(len(scores)))
    colours: list[Any] = [*[GRID] * (len(scores) - 1), BLUE]
    axes.barh(places, list(scores.values()), height=0.62, color=colours)
    axes.plot(interval, [places[-1]] * 2, color=INK, linewidth=1.6)
    for place, value in zip(places, scores.values(), strict=True):
        last = place == places[-1]
        axes.text(0.06, place, f"{value:.3f}", color=WHITE if last else INK, va="center",
                  fontsize=9)  # fmt: skip
    name_rows(axes, list(scores))
    axes.set_xlabel("RMSE in rings on the same test rows")
    return to_svg(figure, "baselines", "RMSE of the model and of naive predictions")
