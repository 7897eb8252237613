import os
import threading
from dataclasses import replace
from typing import Any

import pytest

from abalone_assets import survey
from abalone_assets.modeling.evaluation.evaluate import Splits, evaluate_model
from abalone_assets.modeling.evaluation.study import study_model
from abalone_assets.modeling.frameworks.xgboost import FRAMEWORK, XGBoost
from abalone_assets.modeling.scores import EvaluationError
from abalone_assets_tests.modeling.support import (
    ShellModel,
    card,
    judged,
    rows,
    simulated,
    small_splits,
)

SPLITS = small_splits()
STUDIED = {"learning_curve", "feature_importance", "importance_measure"}


def studied(splits: Splits = SPLITS, **changed: Any) -> Any:
    candidate = judged(**changed)
    return study_model(candidate, splits, evaluate_model(candidate, splits).document).document


def test_adds_to_an_evaluation_and_changes_nothing_that_decides() -> None:
    candidate = judged()
    before: Any = {**evaluate_model(candidate, SPLITS).document, "rmse": 1.25}
    after: Any = study_model(candidate, SPLITS, before).document
    assert after["rmse"] == 1.25
    assert {name for name in before if after[name] != before[name]} == STUDIED
    assert after.keys() == before.keys()


@pytest.mark.parametrize("name", ["model_sha256", "test_rows_sha256"])
def test_refuses_an_evaluation_of_something_else(name: str) -> None:
    other: Any = {**evaluate_model(judged(), SPLITS).document, name: "another"}
    with pytest.raises(EvaluationError, match=rf"has the {name} another, .* evaluates anew"):
        study_model(judged(), SPLITS, other)


def test_says_what_the_model_would_be_without_its_simulated_rows() -> None:
    train = simulated(SPLITS.train, 100)
    papers = card(synthetic={"rows": 100, "weight_share": 0.1})
    told = studied(replace(SPLITS, train=train), card=papers)["synthetic"]
    assert (told["train_rows"], told["weight_share"], told["test_rows"]) == (100, 0.1, 0)
    assert told["rmse_synthetic_rows"] is None
    assert 1 < told["rmse_trained_without"] < 4


def test_a_model_of_simulated_rows_alone_has_no_other_to_be_compared_with() -> None:
    train, test = simulated(SPLITS.train, 300), simulated(SPLITS.test, 10)
    assert studied(replace(SPLITS, train=train))["synthetic"]["rmse_trained_without"] is None
    assert studied(replace(SPLITS, test=test))["synthetic"]["rmse_trained_without"] is None


def test_the_learning_curve_ends_at_the_model_itself() -> None:
    document = studied()
    curve = document["learning_curve"]
    assert [point["train_rows"] for point in curve] == [75, 150, 225, 300]
    assert curve[-1]["rmse"] == document["rmse"]
    assert len({point["rmse"] for point in curve}) == 4


@pytest.mark.parametrize(("side_by_side", "threads"), [(True, 3), (False, 1)])
def test_the_learning_curve_fits_beside_each_other_only_what_may_be(
    monkeypatch: pytest.MonkeyPatch, *, side_by_side: bool, threads: int
) -> None:
    together, fit = threading.Barrier(threads), FRAMEWORK.fit
    seen: set[int] = set()

    def watched(*arguments: Any) -> Any:
        seen.add(threading.get_ident())
        together.wait(timeout=30)
        return fit(*arguments)

    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(XGBoost, "fits_side_by_side", side_by_side)
    monkeypatch.setattr(FRAMEWORK, "fit", watched)
    assert len(studied()["learning_curve"]) == 4
    assert len(seen) == threads


def test_simulated_test_rows_do_not_tell_what_the_model_looks_at() -> None:
    shell: Any = {"model": ShellModel(explains=False), "card": card("tensorflow")}
    mixed = replace(SPLITS, test=simulated(rows(380, 580), 60))
    real = replace(SPLITS, test=rows(440, 580))
    assert (
        studied(mixed, **shell)["feature_importance"]
        == (studied(real, **shell)["feature_importance"])
    )


def test_a_networks_training_is_not_repeated_and_shuffling_tells_what_it_looks_at() -> None:
    evaluation = studied(model=ShellModel(explains=False), card=card("tensorflow"))
    assert evaluation["learning_curve"] == []
    importance = evaluation["feature_importance"]
    assert set(importance) == set(survey.FEATURES)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)
    assert importance["shell_weight"] > 0.1
    assert evaluation["importance_measure"].startswith("rise of the RMSE, in rings")
