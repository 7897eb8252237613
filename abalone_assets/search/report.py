"""A study in words: what is proposed, the settings to paste, and the best trials."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.search.study import trials_of_part
from abalone_assets.settings.environment import variable

if TYPE_CHECKING:
    from abalone_assets.modeling.hyperparameters import Framework
    from abalone_assets.search.proposal import Proposal
    from abalone_assets.search.study import Study


SHOWN_TRIALS: Final = 10


def proposal_page(study: Study, trained: Framework) -> str:
    """The proposal as Markdown: the verdict, the values, and how to train with them.

    Args:
        study: What was searched.
        trained: The framework of every release.
    """
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
