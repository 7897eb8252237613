import math
from typing import Any

import pytest

from abalone_assets.modeling.gate import GateError, decide


def evaluation(rmse: Any, champion: Any = None, **others: Any) -> dict[str, Any]:
    rival = {"version": "3", "rmse": champion, "model_sha256": "old"}
    return {
        "rmse": rmse,
        "model_sha256": "new",
        "champion": None if champion is None else rival,
        **others,
    }


@pytest.mark.parametrize(
    ("rmse", "champion", "rule"),
    [
        (2.5, None, "first_model"),
        (2.0, 2.1, "holds_against_champion"),
        (2.04, 2.0, "holds_against_champion"),
        (0.0, 0.0, "holds_against_champion"),
    ],
)
def test_approves(rmse: float, champion: float | None, rule: str) -> None:
    decision = decide(evaluation(rmse, champion))
    assert (decision.approved, decision.rule) == (True, rule)


@pytest.mark.parametrize(
    ("rmse", "champion", "rule"),
    [
        (2.5001, None, "above_max_rmse"),
        (2.6, 9.0, "above_max_rmse"),
        (2.0401, 2.0, "worse_than_champion"),
        (2.0, math.nan, "unusable_champion_rmse"),
        (2.0, "2.1", "unusable_champion_rmse"),
        (math.nan, None, "unusable_rmse"),
        (math.inf, None, "unusable_rmse"),
        (-math.inf, None, "unusable_rmse"),
        (-1, None, "unusable_rmse"),
        (None, None, "unusable_rmse"),
        ("2.0", None, "unusable_rmse"),
        (True, None, "unusable_rmse"),
    ],
)
def test_rejects(rmse: Any, champion: Any, rule: str) -> None:
    decision = decide(evaluation(rmse, champion))
    assert (decision.approved, decision.rule) == (False, rule)


def test_rejects_an_evaluation_without_a_score() -> None:
    assert decide({}).rule == "unusable_rmse"


def test_rejects_against_a_champion_without_a_score() -> None:
    assert decide({"rmse": 2.0, "champion": {}}).rule == "unusable_champion_rmse"


def test_approves_the_champion_itself_as_unchanged() -> None:
    assert decide(evaluation(2.0, 2.0, model_sha256="old")).rule == "unchanged"


def test_rejects_even_the_champion_above_the_limit() -> None:
    assert decide(evaluation(2.6, 2.6, model_sha256="old")).rule == "above_max_rmse"


def test_two_models_without_a_digest_are_not_the_same() -> None:
    nameless = {"rmse": 2.0, "champion": {"version": "3", "rmse": 1.0}}
    assert decide(nameless).rule == "worse_than_champion"


def test_limits_are_settings() -> None:
    assert not decide(evaluation(2.0), max_rmse=1.9).approved
    assert decide(evaluation(2.4, 2.0), champion_tolerance=0.2).approved
    assert not decide(evaluation(2.01, 2.0), champion_tolerance=0).approved


def test_gives_the_numbers_in_one_sentence() -> None:
    assert decide(evaluation(2.1, 2.0)).reason == (
        "Rejected: RMSE 2.100 is above 2.040 (champion version 3 2.000 plus 2.0%)."
    )
    assert decide(evaluation(2.1)).reason == (
        "Approved: RMSE 2.100 is within the limit of 2.5 and there is no champion yet."
    )


@pytest.mark.parametrize(
    "limits", [{"max_rmse": math.nan}, {"max_rmse": -1}, {"champion_tolerance": math.inf}]
)
def test_refuses_limits_that_make_no_sense(limits: dict[str, float]) -> None:
    with pytest.raises(GateError, match="limits of 0 or more"):
        decide(evaluation(2.0), **limits)
