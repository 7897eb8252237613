"""What is proposed for a blend, and how it is told."""

from __future__ import annotations

import shlex

import pytest
import yaml  # type: ignore[import-untyped] # a dependency of Dagster, without stubs

from abalone_assets.modeling.hyperparameters import BoosterHyperparameters, chosen_hyperparameters
from abalone_assets.modeling.scores import rmse
from abalone_assets.search import StudyPlan, run_study
from abalone_assets.search.proposal import propose
from abalone_assets.search.report import best_trials, proposal_page, run_config_yaml, settings_lines
from abalone_assets.search.sample import Sample
from abalone_assets.search.spaces import part_learner
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.search.support import BOOSTER, TODAY, rows

TREES = BoosterHyperparameters()


def test_a_blend_leaves_out_the_part_that_is_of_no_use() -> None:
    blind = {"length_scale": 0.02, "noise": 5.0}
    sample = Sample.of(rows(), 2, 0.1)
    proposal = propose("blend", {"booster": BOOSTER, "kernel": blind}, TODAY, sample)
    assert proposal.hyperparameters["booster_share"] > 0.8
    assert proposal.hyperparameters["noise"] == 5.0


def test_both_are_scored_on_folds_that_the_search_did_not_use() -> None:
    sample = Sample.of(rows(), 2, 0.1)
    proposal = propose("xgboost", {"booster": BOOSTER}, TREES, sample)
    predicted = sample.refolded().predictions(part_learner("booster", BOOSTER, TODAY))
    assert proposal.current_rmse == pytest.approx(rmse(predicted, rows()["rings"]))
    searched = sample.predictions(part_learner("booster", BOOSTER, TODAY))
    assert proposal.current_rmse != pytest.approx(rmse(searched, rows()["rings"]))


def test_a_proposal_is_compared_with_what_is_set_today() -> None:
    slow = BoosterHyperparameters(num_boost_round=1)
    hasty = {**BOOSTER, "num_boost_round": 1}
    sample = Sample.of(rows(), 2, 0.1)
    worse = propose("xgboost", {"booster": hasty}, TREES, sample)
    assert worse.difference > 0
    assert not worse.recommended
    assert propose("xgboost", {"booster": hasty}, slow, sample).difference == 0
    assert propose("xgboost", {"booster": BOOSTER}, slow, sample).difference < 0


def test_the_settings_are_what_releases_take(monkeypatch: pytest.MonkeyPatch) -> None:
    today = {"landmarks": 30, "num_boost_round": 7, "max_synthetic_share": 0.2}
    study = run_study(rows(60), StudyPlan(folds=2, today=today), trials=1)
    text = settings_lines(study)
    assert text in proposal_page(study, "blend")
    for line in text.splitlines():
        name, value = shlex.split(line)[0].split("=", 1)
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.framework == "blend"
    assert settings.hyperparameters == {"landmarks": 30, **study.proposal.hyperparameters}


def test_the_run_config_is_what_training_takes() -> None:
    study = run_study(rows(60), StudyPlan(folds=2), trials=1)
    page = proposal_page(study, "blend")
    text = run_config_yaml(study.proposal)
    assert text in page
    config = yaml.safe_load(text)["ops"]["trained_model"]["config"]
    assert config["hyperparameters"] == study.proposal.hyperparameters
    chosen_hyperparameters(config["framework"], config["hyperparameters"])
    assert study.proposal.verdict() in page
    assert "Releases train" not in page
    assert "Releases train xgboost: here, today means the defaults of blend." in proposal_page(
        study, "xgboost"
    )
    assert [each["part"] for each in best_trials(study)] == ["booster", "kernel"]
