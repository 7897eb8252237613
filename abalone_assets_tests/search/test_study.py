"""A study repeats, goes on after an interruption, and tells the defaults from the better."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from abalone_assets.modeling.hyperparameters import HyperparameterError
from abalone_assets.search import Study, StudyPlan, Trial, best_of, run_study, study_key
from abalone_assets.search.spaces import searched_of
from abalone_assets.search.study import MIN_COMPLETE, _is_behind
from abalone_assets.search.trials import trials_of_part
from abalone_assets_tests.search.support import BOOSTER, TODAY, lawful_rows, rows, trial

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAN = StudyPlan(framework="blend", folds=2)


class Killed(BaseException):
    """As a run's termination arrives."""


def untimed(trials: Sequence[Trial]) -> list[Trial]:
    return [replace(each, seconds=0.0) for each in trials]


@pytest.fixture(scope="module")
def study() -> Study:
    return run_study(rows(80), PLAN, trials=3)


def test_the_parts_take_turns_and_begin_with_the_defaults(study: Study) -> None:
    assert [(each.part, each.number) for each in study.trials] == [
        (part, number) for number in range(3) for part in ("booster", "kernel")
    ]
    for first in study.trials[:2]:
        assert first.hyperparameters == searched_of(TODAY, first.part)
        assert first.state == "complete"


def test_a_killed_study_goes_on_as_if_it_had_not_been(study: Study) -> None:
    kept: list[Trial] = []

    def keep(trials: Sequence[Trial]) -> None:
        kept[:] = trials
        if len(trials) == 3:
            raise Killed

    with pytest.raises(Killed):
        run_study(rows(80), PLAN, trials=3, on_trial=keep)
    assert len(kept) == 3
    ran: list[Trial] = []
    resumed = run_study(
        rows(80), PLAN, trials=3, done=kept, on_trial=lambda trials: ran.append(trials[-1])
    )
    assert list(resumed.trials) == [*kept, *ran]
    assert untimed(resumed.trials) == untimed(study.trials)
    assert resumed.proposal == study.proposal


def test_a_time_limit_still_lets_the_defaults_run() -> None:
    study = run_study(rows(80), PLAN, trials=50, seconds=0)
    assert [each.number for each in study.trials] == [0, 0]
    assert study.proposal.hyperparameters["eta"] == BOOSTER["eta"]


def test_a_trial_behind_half_of_the_others_is_given_up() -> None:
    before = [trial("kernel", number, 2 + number / 10) for number in range(MIN_COMPLETE)]
    assert _is_behind([2.0, 2.21], before)
    assert not _is_behind([2.9, 2.19], before)
    assert not _is_behind([9.0], before[1:])


def test_a_trial_that_was_given_up_is_never_the_best() -> None:
    given_up = replace(trial("kernel", 1, 1.0), state="pruned")
    assert best_of([trial("kernel", 0, 2.0), given_up]).number == 0


@pytest.mark.service
def test_a_real_gain_is_recommended() -> None:
    """The defaults are too cautious for rings that follow from the length without noise."""
    plan = StudyPlan(framework="xgboost", folds=2)
    proposal = run_study(lawful_rows(), plan, trials=6).proposal
    assert proposal.recommended
    assert proposal.difference == proposal.rmse - proposal.current_rmse < 0
    assert proposal.low < proposal.difference < proposal.high < 0
    assert proposal.verdict().startswith("New hyperparameters are recommended")


def test_the_defaults_stay_where_nothing_is_gained() -> None:
    proposal = run_study(rows(), StudyPlan(framework="xgboost", folds=2), trials=1).proposal
    assert not proposal.recommended
    assert (proposal.difference, proposal.low, proposal.high) == (0, 0, 0)
    assert proposal.verdict().startswith("Keep today's hyperparameters")


def test_a_study_begins_with_what_releases_train_with_wherever_that_lies() -> None:
    today = {"num_boost_round": 7, "eta": 0.3, "landmarks": 20}
    study = run_study(rows(60), StudyPlan(folds=2, today=today), trials=3)
    booster = trials_of_part(study.trials, "booster")
    first = booster[0].hyperparameters
    assert (first["num_boost_round"], first["eta"]) == (7, 0.3)
    again = run_study(rows(60), StudyPlan(folds=2, today={"landmarks": 40}), trials=1)
    kernels = [trials_of_part(each.trials, "kernel")[0] for each in (study, again)]
    assert kernels[0].hyperparameters == kernels[1].hyperparameters
    assert kernels[0].rmse != kernels[1].rmse, "what is not searched stays as it is set"


def test_what_a_framework_does_not_take_today_is_refused() -> None:
    with pytest.raises(HyperparameterError, match="xgboost has no hyperparameter landmarks"):
        StudyPlan(framework="xgboost", today={"landmarks": 20})


def test_a_study_is_known_by_its_rows_and_its_plan() -> None:
    columns = rows(60)
    simulated = {**columns, "origin": np.asarray(["synthetic"] + ["surveyed"] * 59, dtype=object)}
    keys = [
        study_key(columns, PLAN),
        study_key(rows(59), PLAN),
        study_key(simulated, PLAN),
        study_key(columns, replace(PLAN, framework="xgboost")),
        study_key(columns, replace(PLAN, seed=1)),
        study_key(columns, replace(PLAN, folds=3)),
        study_key(columns, replace(PLAN, today={"max_synthetic_share": 0.2})),
    ]
    assert len(set(keys)) == len(keys)
    assert study_key(rows(60), StudyPlan(framework="blend", folds=2)) == keys[0]
    spelt_out = {"eta": TODAY.eta, "folds": 3, "booster_share": 0.3}
    assert study_key(columns, replace(PLAN, today=spelt_out)) == keys[0], "no trial reads that"
    assert study_key(columns, replace(PLAN, today={"landmarks": 9})) not in keys
