"""A study in words and pictures: what is proposed, the settings to paste, the best trials."""

from __future__ import annotations

import json
import math
import shlex
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.modeling.plotting import BLUE, ORANGE, framed, new_figure, to_png
from abalone_assets.search.spaces import SPACES
from abalone_assets.search.trials import importances, trials_of_part
from abalone_assets.settings.environment import variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from abalone_assets.modeling.hyperparameters import Framework
    from abalone_assets.search.proposal import Proposal
    from abalone_assets.search.spaces import Dimension, Part
    from abalone_assets.search.study import Study
    from abalone_assets.search.trials import Trial

SHOWN_TRIALS: Final = 10
_COLOURS: Final = (BLUE, ORANGE)
"""Of the parts of a model, in their order."""
_GREY: Final = "#999999"
_SLICES_A_ROW: Final = 4


def proposal_page(study: Study, trained: Framework) -> str:
    """The proposal as Markdown: the verdict, the values, and how to train with them."""
    proposal = study.proposal
    searched = proposal.framework
    other = f" Releases train {trained}: here, today means the defaults of {searched}."
    rows = [
        f"| `{name}` | {getattr(study.plan.hyperparameters, name)} | {value} |"
        for name, value in proposal.hyperparameters.items()
    ]
    return "\n".join(
        [
            f"**{proposal.verdict()}**",
            "",
            f"On {study.rows} surveyed training rows, in folds that the search did not use."
            + (other if trained != searched else ""),
            "",
            "| | today | proposed |",
            "| --- | --- | --- |",
            *rows,
            "",
            "A run config of `release` that trains one model with the proposed values:",
            "",
            "```yaml",
            run_config_yaml(proposal),
            "```",
            "",
            "The settings with which every release does:",
            "",
            "```sh",
            settings_lines(study),
            "```",
        ]
    )


def run_config_yaml(proposal: Proposal) -> str:
    """The run config with which ``trained_model`` uses the proposed hyperparameters."""
    return "\n".join(
        [
            "ops:",
            "  trained_model:",
            "    config:",
            f"      framework: {proposal.framework}",
            "      hyperparameters:",
            *(f"        {name}: {value}" for name, value in proposal.hyperparameters.items()),
        ]
    )


def settings_lines(study: Study) -> str:
    """The environment variables with which every release trains with the proposed values.

    What is set today and was not searched stays set.
    """
    own = {name: value for name, value in study.plan.today.items() if name != "max_synthetic_share"}
    values = {
        "framework": study.proposal.framework,
        "hyperparameters": json.dumps({**own, **study.proposal.hyperparameters}),
    }
    return "\n".join(f"{variable(name)}={shlex.quote(text)}" for name, text in values.items())


def best_trials(study: Study) -> list[dict[str, Any]]:
    """The best complete trials of each part as records, their hyperparameters as one text."""
    return [
        {
            "part": trial.part,
            "trial": trial.number + 1,
            "rmse": trial.rmse,
            "hyperparameters": ", ".join(f"{k} {v}" for k, v in trial.hyperparameters.items()),
        }
        for part in study.plan.parts
        for trial in sorted(
            (each for each in trials_of_part(study.trials, part) if each.state == "complete"),
            key=lambda each: each.rmse,
        )[:SHOWN_TRIALS]
    ]


def study_plots(study: Study) -> dict[str, bytes]:
    """Every picture of a study, by name, as PNG bytes."""
    parts = {part: trials_of_part(study.trials, part) for part in study.plan.parts}
    colours = dict(zip(parts, cycle(_COLOURS), strict=False))
    drawn = {"history": _history(parts, colours), "importances": _importances(parts, colours)}
    return drawn | {
        f"{part}_slices": _slices(part, trials, colours[part]) for part, trials in parts.items()
    }


def _history(parts: dict[Part, list[Trial]], colours: dict[Part, str]) -> bytes:
    """The error of each complete trial, and the least so far."""
    figure = new_figure(6.4, 3.6, "constrained")
    axes = framed(figure.add_subplot(), "Error of the trials, and the least so far", 10)
    for part, trials in parts.items():
        complete = [trial for trial in trials if trial.state == "complete"]
        numbers = [trial.number + 1 for trial in complete]
        errors = [trial.rmse for trial in complete]
        least = np.minimum.accumulate(errors)
        axes.scatter(numbers, errors, s=14, color=colours[part], alpha=0.6, linewidths=0)
        axes.step(numbers, least, where="post", color=colours[part], label=part)
        axes.axhline(errors[0], color=colours[part], linewidth=0.8, linestyle=":")
    # A few hopeless trials would flatten all others.
    seen = [
        trial.rmse for trials in parts.values() for trial in trials if trial.state == "complete"
    ]
    axes.set_ylim(min(seen) - 0.01, float(np.quantile(seen, 0.9)) + 0.02)
    axes.set(xlabel="trial (dotted: today's hyperparameters)", ylabel="RMSE, rings")
    axes.legend(frameon=False)
    return to_png(figure)


def _importances(parts: dict[Part, list[Trial]], colours: dict[Part, str]) -> bytes:
    """What decides whether a trial is a good one, the most important on top of each part."""
    figure = new_figure(6.4, 3.6, "constrained")
    axes = framed(figure.add_subplot(), "What decides (PED-ANOVA, adds up to 1 in each part)", 10)
    for part, trials in parts.items():
        found = importances(SPACES[part], trials)
        axes.barh([*found], [*found.values()], color=colours[part], label=part)
    axes.invert_yaxis()
    axes.set(xlabel="share of the variance among the best trials")
    if axes.patches:
        axes.legend(frameon=False)
    return to_png(figure)


def _slices(part: Part, trials: Sequence[Trial], colour: str) -> bytes:
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
        _slice(axes, dimension, complete, colour)
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
