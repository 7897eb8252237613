import math
from dataclasses import fields
from typing import Any

import pytest

from abalone_assets.modeling.hyperparameters import (
    HYPERPARAMETERS,
    BlendHyperparameters,
    BoosterHyperparameters,
    Framework,
    HyperparameterError,
    KernelHyperparameters,
    NetworkHyperparameters,
    chosen_hyperparameters,
    describe_hyperparameters,
)


@pytest.mark.parametrize(
    ("framework", "given"),
    [
        ("xgboost", {}),
        ("xgboost", {"eta": 0.1, "max_depth": 3}),
        ("tensorflow", {"hidden_units": 16, "learning_rate": 0.01, "seed": 1}),
        ("blend", {"eta": 0.1, "noise": 0.5, "booster_share": 0.4, "folds": 0}),
    ],
)
def test_accepts_what_the_framework_has(framework: Framework, given: dict[str, Any]) -> None:
    chosen = vars(chosen_hyperparameters(framework, given))
    assert {name: chosen[name] for name in given} == given


@pytest.mark.parametrize(
    ("framework", "given", "message"),
    [
        (
            "tensorflow",
            {"eta": 0.1},
            "tensorflow has no hyperparameter eta: it has folds, max_synth",
        ),
        ("xgboost", {"epochs": 5, "colour": "red"}, "xgboost has no hyperparameter epochs, colour"),
        ("xgboost", {"eta": "fast"}, "eta must be float, not 'fast'"),
        ("xgboost", {"eta": 0.0}, "eta must be 0.0001 to 1.0, not 0.0"),
        ("xgboost", {"eta": math.nan}, "eta must be"),
        ("xgboost", {"max_depth": 4.0}, "max_depth must be int, not 4.0"),
        ("xgboost", {"num_boost_round": True}, "num_boost_round must be int, not True"),
        ("xgboost", {"seed": -1}, "seed must be"),
        ("tensorflow", {"epochs": 2.5}, "epochs must be int, not 2.5"),
        ("tensorflow", {"hidden_units": 0}, "hidden_units must be 1 to 1024, not 0"),
        ("blend", {"booster_share": 1.5}, r"booster_share must be 0\.0 to 1\.0, not 1\.5"),
        ("xgboost", {"noise": 0.5}, "xgboost has no hyperparameter noise"),
        ("xgboost", {"folds": 1}, r"folds must be 0 \(none\) or 2 to 20, not 1"),
        ("catboost", {}, "framework must be blend or xgboost or tensorflow.*, not 'catboost'"),
    ],
)
def test_names_what_the_framework_has_not(
    framework: Framework, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(HyperparameterError, match=message):
        chosen_hyperparameters(framework, given)


def test_a_blend_has_what_its_parts_have() -> None:
    parts = {**vars(BoosterHyperparameters()), **vars(KernelHyperparameters())}
    assert vars(BlendHyperparameters()) == parts | {"booster_share": 0.5}


def test_describes_each_with_its_range_and_default() -> None:
    lines = describe_hyperparameters().splitlines()
    assert len(lines) == sum(len(fields(kind)) for kind in HYPERPARAMETERS.values())
    assert (
        "- tensorflow `hidden_units`: Units of each of the two hidden layers "
        f"(1 to 1024, default {NetworkHyperparameters().hidden_units})."
    ) in lines
