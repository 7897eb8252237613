"""What a study tried, the table that keeps it, and what to try next.

Suggestions are those of Optuna's tree-structured Parzen estimator: Bergstra et al., *Algorithms for
hyper-parameter optimization*, NeurIPS 24 (2011). The sampler is built anew for each trial and
seeded by its number, so that a suggestion follows from the trials before it and the seed alone: a
study that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from abalone_assets.errors import StorageError
from abalone_assets.search.spaces import SPACES, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import optuna
    import polars as pl

    from abalone_assets.search.spaces import Dimension

State = Literal["complete", "pruned"]


@dataclass(frozen=True)
class Trial:
    """One set of hyperparameters and how it scored.

    Attributes:
        part: The part of the model that they are for.
        number: From 0, in the order that this part's trials ran; trial 0 is what releases train
            with.
        state: ``pruned`` when it was given up before its last fold.
        rmse: In rings, over the surveyed rows of the folds that it saw; of all when complete.
        fold_rmse: The same after its first fold, after its second, and so on.
        seconds: Wall time.
        hyperparameters: What was tried, by name.
    """

    part: Part
    number: int
    state: State
    rmse: float
    fold_rmse: tuple[float, ...]
    seconds: float
    hyperparameters: Mapping[str, float | int]

    def describe(self, of: int, best: float) -> str:
        """One line for a log.

        Args:
            of: Trials of this part in all.
            best: Least RMSE of a complete trial of this part so far.
        """
        scored = f"RMSE {self.rmse:.4f}, best {best:.4f}"
        if self.state == "pruned":
            scored = f"given up after {len(self.fold_rmse)} folds, best {best:.4f}"
        return f"{self.part} {self.number + 1} of {of}: {scored}, {self.seconds:.1f} s"


def best_of(trials: Sequence[Trial]) -> Trial:
    """The complete trial of the least error, the earliest of several."""
    return min((each for each in trials if each.state == "complete"), key=lambda each: each.rmse)


def trials_of_part(trials: Sequence[Trial], part: Part) -> list[Trial]:
    """Those of one part, by number."""
    return sorted((each for each in trials if each.part == part), key=lambda each: each.number)


def trials_frame(trials: Sequence[Trial], study: str) -> pl.DataFrame:
    """A row a trial, a column for each hyperparameter of any part, null where it has none."""
    import polars as pl

    schema = {
        "study": pl.String(),
        "part": pl.String(),
        "number": pl.Int64(),
        "state": pl.String(),
        "rmse": pl.Float64(),
        "fold_rmse": pl.List(pl.Float64()),
        "seconds": pl.Float64(),
        **{
            dimension.name: pl.Int64() if dimension.is_integer else pl.Float64()
            for space in SPACES.values()
            for dimension in space
        },
    }
    rows = [{"study": study, **vars(trial), **trial.hyperparameters} for trial in trials]
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def trials_of(frame: pl.DataFrame, study: str) -> list[Trial]:
    """The trials of one study in a table of `trials_frame`; those of another are left out.

    Raises:
        StorageError: It is no such table.
    """
    try:
        return [_trial(row) for row in frame.to_dicts() if row["study"] == study]
    except (KeyError, TypeError) as error:
        raise StorageError(
            f"hyperparameter_study holds no table of trials ({error!r}): delete it to search anew"
        ) from error


def _trial(row: Mapping[str, Any]) -> Trial:
    chosen = {dimension.name: row[dimension.name] for dimension in SPACES[row["part"]]}
    values = {each.name: row[each.name] for each in fields(Trial) if each.name in row}
    return Trial(**{**values, "fold_rmse": tuple(row["fold_rmse"])}, hyperparameters=chosen)


def suggest(
    space: Sequence[Dimension], before: Sequence[Trial], seed: int
) -> dict[str, float | int]:
    """The hyperparameters of the next trial, after those before it in their order."""
    from optuna.samplers import TPESampler

    drawn = np.random.SeedSequence((seed, len(before))).generate_state(1)[0]
    study = _rebuilt(space, before, TPESampler(seed=int(drawn)))
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
    return get_param_importances(_rebuilt(space, complete), evaluator=PedAnovaImportanceEvaluator())


def _rebuilt(
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
