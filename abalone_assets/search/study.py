"""A study: trial after trial, each guided by the ones before it, and what comes of them."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.dataset import is_surveyed, rows_sha256, take
from abalone_assets.modeling.features import CATALOGUE
from abalone_assets.modeling.hyperparameters import (
    CommonHyperparameters,
    SearchedFramework,
    chosen_hyperparameters,
)
from abalone_assets.search.proposal import Proposal, propose
from abalone_assets.search.sample import Sample
from abalone_assets.search.spaces import (
    PARTS,
    SPACES,
    Part,
    part_learner,
    searched_of,
)
from abalone_assets.search.trials import Trial, best_of, suggest, trials_of_part

if TYPE_CHECKING:
    from abalone_assets.modeling.features import Columns

MIN_COMPLETE: Final = 5
"""Trials that must have seen every fold before one is given up."""

_PROTOCOL: Final = "folds by a hash of their own"
"""How trials are scored, beside the plan: another word makes other studies."""

_NOT_IN_TRIALS: Final = frozenset({"folds", "booster_share"})
"""Hyperparameters that no trial reads: how a release is judged, and what joins the parts."""

OnTrial = Callable[[Sequence[Trial]], None]
"""Called after every trial with all trials so far, the new one last."""


@dataclass(frozen=True)
class StudyPlan:
    """What makes a study the one it is, beside its rows.

    Attributes:
        framework: Whose hyperparameters are searched.
        seed: Of what is tried.
        folds: In which rows are held out, by their key; two or more.
        today: What releases train with, by name; what is not given has its default.

    Raises:
        HyperparameterError: The framework does not take what it is to train with today.
    """

    framework: SearchedFramework = "blend"
    seed: int = 0
    folds: int = 5
    today: Mapping[str, float | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chosen_hyperparameters(self.framework, self.today)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the model, each searched by itself."""
        return PARTS[self.framework]

    @property
    def hyperparameters(self) -> CommonHyperparameters:
        """All that releases train with today."""
        return chosen_hyperparameters(self.framework, self.today)


@dataclass(frozen=True)
class Study:
    """What was tried, and what is proposed.

    Attributes:
        plan: What it was to be.
        rows: Surveyed rows that were scored.
        trials: In the order that they ran.
        proposal: The best of them beside today's.
    """

    plan: StudyPlan
    rows: int
    trials: tuple[Trial, ...]
    proposal: Proposal


def run_study(
    columns: Columns,
    plan: StudyPlan,
    *,
    trials: int = 60,
    done: Sequence[Trial] = (),
    seconds: float | None = None,
    on_trial: OnTrial | None = None,
) -> Study:
    """Try hyperparameters of each part of a framework, and propose the best.

    What is minimised is the RMSE of each surveyed row by a model that has not seen its fold. A
    part's first trial is what releases train with today. Same rows, plan and library versions give
    the same trials, however often the study was interrupted and went on from ``done``.

    Args:
        columns: The training rows, by name; never the rows that a model is judged on.
        plan: What is searched, and how.
        trials: For each part.
        done: Trials of an earlier run of this study, whose `study_key` was the same.
        seconds: Begin no trial after this time, beside the first; None for no limit.
        on_trial: See `OnTrial`.

    Raises:
        SearchError: Too few surveyed rows for so many folds, or fewer than two folds.
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: There are no usable rings.
    """
    started = time.perf_counter()
    today = plan.hyperparameters
    sample = Sample.of(columns, plan.folds, today.max_synthetic_share)
    ran = list(done)
    for number, part in _due(plan.parts, trials, done):
        if number and seconds is not None and time.perf_counter() - started > seconds:
            break
        ran.append(_tried(part, number, plan, sample, trials_of_part(ran, part)))
        if on_trial:
            on_trial(ran)
    best = {part: best_of(trials_of_part(ran, part)).hyperparameters for part in plan.parts}
    proposal = propose(plan.framework, best, today, sample)
    return Study(plan, int(sample.surveyed.sum()), tuple(ran), proposal)


def _due(parts: Sequence[Part], trials: int, done: Sequence[Trial]) -> list[tuple[int, Part]]:
    """The trials still to run, the parts in turn, so that a time limit is fair to them."""
    have = {(trial.number, trial.part) for trial in done}
    return [
        (number, part) for number in range(trials) for part in parts if (number, part) not in have
    ]


def study_key(columns: Columns, plan: StudyPlan) -> str:
    """What makes two studies the same, in 16 hexadecimal digits; the number of trials does not.

    It stands for the rows, the plan, how trials are scored, the features, the spaces, today's
    hyperparameters and the libraries' versions: trials of another study would not be what this one
    would have tried.
    """
    said: dict[str, Any] = {
        "plan": (plan.framework, plan.seed, plan.folds),
        "protocol": _PROTOCOL,
        "rows": rows_sha256(columns),
        "surveyed": rows_sha256(take(columns, is_surveyed(columns))),
        "features": [feature.name for feature in CATALOGUE],
        "spaces": {part: [asdict(each) for each in SPACES[part]] for part in plan.parts},
        "today": {
            name: value
            for name, value in asdict(plan.hyperparameters).items()
            if name not in _NOT_IN_TRIALS
        },
        "versions": library_versions(),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def library_versions() -> dict[str, str]:
    """Of what a trial's numbers depend on."""
    from importlib.metadata import version

    import xgboost  # whose distribution has one name with and another without its GPU code

    versions = {name: version(name) for name in ("numpy", "optuna")}
    return versions | {"xgboost": str(xgboost.__version__)}


def _tried(
    part: Part, number: int, plan: StudyPlan, sample: Sample, before: Sequence[Trial]
) -> Trial:
    """Score what is suggested after the trials before, fold by fold."""
    started = time.perf_counter()
    today = plan.hyperparameters
    chosen: Mapping[str, float | int] = (
        suggest(SPACES[part], before, plan.seed) if number else searched_of(today, part)
    )
    scores: list[float] = []
    pruned = False
    for rmse in sample.running_rmse(part_learner(part, chosen, today)):
        scores.append(rmse)
        pruned = len(scores) < sample.folds and _is_behind(scores, before)
        if pruned:
            break
    return Trial(
        part=part,
        number=number,
        state="pruned" if pruned else "complete",
        rmse=scores[-1],
        fold_rmse=tuple(scores),
        seconds=time.perf_counter() - started,
        hyperparameters=dict(chosen),
    )


def _is_behind(scores: Sequence[float], before: Sequence[Trial]) -> bool:
    """Whether the folds so far were harder on this trial than on half of the complete ones.

    Optuna's ``MedianPruner`` takes a trial's best step so far, which an easy first fold decides.
    """
    same_folds = [each.fold_rmse[len(scores) - 1] for each in before if each.state == "complete"]
    return len(same_folds) >= MIN_COMPLETE and scores[-1] > statistics.median(same_folds)
