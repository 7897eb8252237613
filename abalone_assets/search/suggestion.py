"""What to try next, from what was tried, by Optuna's tree-structured Parzen estimator.

Bergstra et al., *Algorithms for hyper-parameter optimization*, NeurIPS 24 (2011). The sampler is
built anew for each trial and seeded by its number, so that a suggestion follows from the trials
before it and the seed alone: a study that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from abalone_assets.search.spaces import Dimension
    from abalone_assets.search.trials import Trial


def suggest(
    space: Sequence[Dimension], before: Sequence[Trial], seed: int
) -> dict[str, float | int]:
    """The hyperparameters of the next trial.

    Args:
        space: Where to look.
        before: The trials so far, in their order.
        seed: Of the study.
    """
    from optuna.samplers import TPESampler

    drawn = np.random.SeedSequence((seed, len(before))).generate_state(1)[0]
    study = rebuilt(space, before, TPESampler(seed=int(drawn)))
    trial = study.ask({dimension.name: dimension.distribution() for dimension in space})
    return {dimension.name: dimension.rounded(trial.params[dimension.name]) for dimension in space}


def importances(space: Sequence[Dimension], trials: Sequence[Trial]) -> dict[str, float]:
    """How much each hyperparameter decides whether a trial is a good one; they add up to 1.

    PED-ANOVA: Watanabe, Bansal and Hutter, IJCAI 2023 (https://arxiv.org/abs/2304.10255), over the
    complete trials. Empty when there are fewer than two, or none better than another.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    complete = [trial for trial in trials if trial.state == "complete"]
    if len({trial.rmse for trial in complete}) < 2:  # noqa: PLR2004 - nothing to compare
        return {}
    return get_param_importances(rebuilt(space, complete), evaluator=PedAnovaImportanceEvaluator())


def rebuilt(
    space: Sequence[Dimension],
    trials: Sequence[Trial],
    sampler: Any = None,  # noqa: ANN401 - Optuna loads lazily
) -> optuna.Study:
    """Optuna's study of these trials, in memory.

    A first trial outside the space, as hyperparameters set by hand may be, tells Optuna nothing.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler, direction="minimize")
    distributions = {dimension.name: dimension.distribution() for dimension in space}
    for trial in trials:
        if not all(each.holds(trial.hyperparameters[each.name]) for each in space):
            continue
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState[trial.state.upper()],
                value=trial.rmse if trial.state == "complete" else None,
                params=dict(trial.hyperparameters),
                distributions=distributions,
                intermediate_values=dict(enumerate(trial.fold_rmse)),
            )
        )
    return study
