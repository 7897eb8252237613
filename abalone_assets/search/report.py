"""A study in words: what is proposed, the run config to paste, and the best trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.search.parts import (
    BOOSTER_SHARE,
    DEFAULT_BOOSTER_SHARE,
    default_hyperparameters,
)
from abalone_assets.search.study import trials_of_part

if TYPE_CHECKING:
    from abalone_assets.search.proposal import Proposal
    from abalone_assets.search.study import Study


SHOWN_TRIALS: Final = 10


def proposal_page(study: Study) -> str:
    """The proposal as Markdown: the verdict, the values, and a run config of ``trained_model``."""
    proposal = study.proposal
    rows = [
        f"| `{name}` | {_default(study, name)} | {value} |"
        for name, value in proposal.hyperparameters.items()
    ]
    return "\n".join(
        [
            f"**{proposal.verdict()}**",
            "",
            f"On {study.rows} surveyed training rows, in folds that the search did not use.",
            "",
            "| | default | proposed |",
            "| --- | --- | --- |",
            *rows,
            "",
            "A run config of `release` that trains with the proposed values:",
            "",
            "```yaml",
            run_config_yaml(proposal),
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


def _default(study: Study, name: str) -> float | int:
    known: dict[str, float | int] = {BOOSTER_SHARE: DEFAULT_BOOSTER_SHARE}
    for part in study.plan.parts:
        known |= default_hyperparameters(part)
    return known[name]
