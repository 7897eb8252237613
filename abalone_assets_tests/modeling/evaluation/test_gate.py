import math
from typing import Any

import pytest

from abalone_assets.modeling.evaluation.gate import (
    REFERENCE_RULES,
    Decision,
    GateError,
    GateLimits,
    decide,
)

INTACT = {"misplaced": 0, "leaked": 0, "missing": 0}


def comparison(difference: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    """A model against a champion with an RMSE of 2 rings on the same 4,177 rows."""
    numbers = {"rmse": 2 + difference, "champion_rmse": 2.0, "difference": difference}
    return {"value": "all", "rows": 4177, **numbers, "low": low, "high": high, **changes}


EQUAL = comparison(0.0, -0.01, 0.01)


def champion(overall: Any = EQUAL, **slices: Any) -> dict[str, Any]:
    groups = {"sex": [], "age_band": [], **slices}
    paired = {"overall": overall, "test": EQUAL, "slices": groups}
    return {"version": "3", "rmse": 2.1, "model_sha256": "old", "paired": paired}


def decision(limits: GateLimits | None = None, **changes: Any) -> Decision:
    """On a model that is good enough for a platform without a champion, but for the changes."""
    evaluation = {"rmse": 2.1, "rows": 209, "model_sha256": "new", "split": INTACT}
    return decide({**evaluation, "champion": None, **changes}, limits or GateLimits())


def test_approves_the_first_model_that_is_good_enough() -> None:
    first = decision()
    assert (first.approved, first.rule) == (True, "first_model")
    assert first.reason == (
        "Approved: RMSE 2.100 is within the limit of 2.5, and there is no champion yet."
    )
    assert decision(rmse=2.5).approved


@pytest.mark.parametrize("rmse", [math.nan, math.inf, -math.inf, -1, None, "2.0", True])
def test_rejects_a_score_that_is_no_number(rmse: Any) -> None:
    assert decision(rmse=rmse).rule == "unusable_rmse"


def test_rejects_an_empty_evaluation() -> None:
    assert not decide({}, GateLimits()).approved


@pytest.mark.parametrize("rmse", [2.5001, 9])
def test_rejects_a_model_above_the_limit_even_the_champion_itself(rmse: float) -> None:
    refused = decision(rmse=rmse, model_sha256="old", champion=champion())
    assert refused.rule == "above_max_rmse"


@pytest.mark.parametrize(
    "split",
    [None, {}, *({**INTACT, count: 1} for count in INTACT), {**INTACT, "missing": None}],
)
def test_rejects_a_test_split_that_is_not_as_its_hash_makes_it(split: Any) -> None:
    refused = decision(split=split)
    assert (refused.approved, refused.rule) == (False, "test_split_touched")


def test_says_how_the_test_split_was_touched() -> None:
    assert decision(split={**INTACT, "leaked": 1200}).reason == (
        "Rejected: the test split was touched: 1,200 rows of it, or of its hash, are in train or"
        " validation; prepare the data again."
    )


@pytest.mark.parametrize("rows", [99, 0, None, math.nan])
def test_rejects_too_few_test_rows(rows: Any) -> None:
    assert decision(rows=rows).rule == "too_few_rows"
    assert decision(rows=100).approved


def test_approves_the_champion_itself_as_unchanged() -> None:
    unpaired = {**champion(), "paired": None}
    assert decision(model_sha256="old", champion=unpaired).rule == "unchanged"


def test_two_models_without_a_digest_are_not_the_same() -> None:
    nameless = {**champion(comparison(1.0, 0.9, 1.1)), "model_sha256": None}
    assert decision(model_sha256=None, champion=nameless).rule == "worse_than_champion"


@pytest.mark.parametrize(
    ("difference", "low", "high", "rule"),
    [
        (-0.012, -0.020, -0.004, "better_than_champion"),
        (0.0, -0.01, 0.01, "holds_against_champion"),
        (0.03, 0.02, 0.04, "holds_against_champion"),  # worse for sure, but within the margin
        (0.03, 0.02, 0.0401, "worse_than_champion"),
        (0.03, 0.0, 0.0401, "not_shown_as_good"),
        (-0.1, -0.3, 0.1, "not_shown_as_good"),  # better on these rows, but that may be chance
    ],
)
def test_asks_whether_the_interval_lies_within_the_margin(
    difference: float, low: float, high: float, rule: str
) -> None:
    decided = decision(champion=champion(comparison(difference, low, high)))
    assert decided.rule == rule
    assert decided.approved is (rule in {"better_than_champion", "holds_against_champion"})


@pytest.mark.parametrize("name", ["rows", "rmse", "champion_rmse", "difference", "low", "high"])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, "0"])
def test_a_comparison_without_a_usable_number_never_approves(name: str, value: Any) -> None:
    broken = {**comparison(-1, -1.1, -0.9), name: value}
    assert decision(champion=champion(broken)).rule == "not_shown_as_good"
    assert decision(champion=champion(sex=[broken])).rule == "not_shown_as_good"


@pytest.mark.parametrize("paired", [None, {}, {"overall": EQUAL}, {"slices": {}}, "none"])
def test_a_champion_without_a_comparison_is_not_replaced(paired: Any) -> None:
    assert decision(champion={**champion(), "paired": paired}).rule == "not_shown_as_good"


@pytest.mark.parametrize(
    ("slices", "rule"),
    [
        ({"sex": [comparison(0.3, 0.1, 0.5, value="F")]}, "worse_in_slice"),
        ({"age_band": [comparison(0.3, 0.1, 0.5, value="16+ rings")]}, "worse_in_slice"),
        ({"sex": [comparison(0.3, -0.1, 0.7, value="F")]}, "holds_against_champion"),
        ({"sex": [comparison(0.19, 0.1, 0.3, value="F")]}, "holds_against_champion"),
        ({"sex": [comparison(0.3, 0.1, 0.5, value="F", rows=29)]}, "holds_against_champion"),
    ],
)
def test_no_slice_with_enough_rows_may_be_clearly_worse(slices: Any, rule: str) -> None:
    assert decision(champion=champion(**slices)).rule == rule


def test_names_the_worst_slice() -> None:
    bad = comparison(0.25, 0.1, 0.4, value="F", rows=1307)
    worst = comparison(0.8, 0.5, 1.0, value="16+ rings", rows=260)
    assert decision(champion=champion(sex=[bad], age_band=[worst])).reason == (
        "Rejected: for the animals of 16+ rings, RMSE 2.800 on 260 rows is 0.800 above champion"
        " version 3's 2.000 (90 % interval +0.500 to +1.000, at most +0.200 allowed)."
    )


def test_gives_the_numbers_of_a_comparison_in_one_sentence() -> None:
    better = champion(comparison(-0.012, -0.02, -0.004))
    assert decision(champion=better).reason == (
        "Approved: RMSE 2.100 is within the limit of 2.5, and on 4,177 rows that neither model had"
        " learnt from it is 0.012 below champion version 3's 2.000 (90 % interval \N{MINUS SIGN}"
        "0.020 to \N{MINUS SIGN}0.004, at most +0.040 allowed)."
    )
    unclear = champion(comparison(0.05, -0.1, 0.2, rows=209))
    assert decision(champion=unclear).reason.startswith(
        "Rejected: too little evidence: on 209 rows that neither model had learnt from, RMSE 2.050"
        " is 0.050 above champion version 3's 2.000 (90 % interval"
    )


def reference(overall: Any) -> dict[str, Any]:
    """An older version that the model is held against as well."""
    return {**champion(overall), "version": "2"}


@pytest.mark.parametrize(
    ("difference", "low", "high", "rule"),
    [
        (-0.012, -0.020, -0.004, "better_than_champion"),
        (0.0, -0.01, 0.01, "holds_against_reference"),
        (0.03, 0.02, 0.04, "holds_against_reference"),
        (0.03, 0.02, 0.0401, "worse_than_reference"),
        (0.03, 0.0, 0.0401, "not_shown_as_good_as_reference"),
    ],
)
def test_a_model_better_than_the_champion_must_hold_against_the_reference_too(
    difference: float, low: float, high: float, rule: str
) -> None:
    better = champion(comparison(-0.012, -0.020, -0.004))
    decided = decision(champion=better, reference=reference(comparison(difference, low, high)))
    assert decided.rule == rule
    assert decided.approved is (rule in {"better_than_champion", "holds_against_reference"})


def test_a_model_better_than_the_reference_alone_holds_against_the_champion() -> None:
    better = reference(comparison(-0.012, -0.020, -0.004))
    assert decision(champion=champion(), reference=better).rule == "holds_against_champion"


def test_only_the_first_model_and_one_better_than_both_others_become_the_reference() -> None:
    assert {"first_model", "better_than_champion"} == REFERENCE_RULES


@pytest.mark.parametrize("name", ["rows", "rmse", "champion_rmse", "difference", "low", "high"])
@pytest.mark.parametrize("value", [None, math.nan, -math.inf, "0"])
def test_a_reference_without_a_usable_number_never_approves(name: str, value: Any) -> None:
    broken = {**comparison(-1, -1.1, -0.9), name: value}
    refused = decision(champion=champion(), reference=reference(broken))
    assert (refused.approved, refused.rule) == (False, "not_shown_as_good_as_reference")


@pytest.mark.parametrize("unusable", [{}, {"paired": None}, {"paired": {}}, "version 2"])
def test_a_reference_without_a_comparison_never_approves(unusable: Any) -> None:
    refused = decision(champion=champion(), reference=unusable)
    assert refused.rule == "not_shown_as_good_as_reference"
    assert decision(champion=champion(), reference=None).approved


def test_is_worse_than_the_champion_before_it_is_worse_than_the_reference_or_in_a_slice() -> None:
    worse = comparison(0.3, 0.2, 0.4)
    every: dict[str, Any] = {"reference": reference(worse)}
    sliced = champion(sex=[comparison(0.3, 0.1, 0.5, value="F")])
    assert decision(champion=champion(worse), **every).rule == "worse_than_champion"
    assert decision(champion=sliced, **every).rule == "worse_than_reference"


def test_says_in_plain_words_what_the_reference_is() -> None:
    older = comparison(0.06, 0.05, 0.07, rmse=2.04, champion_rmse=1.98)
    assert decision(champion=champion(), reference=reference(older)).reason == (
        "Rejected: it holds against champion version 3, but on 4,177 rows that neither model had"
        " learnt from, RMSE 2.040 is 0.060 above version 2's 1.980, the last version approved as"
        " more than just as good as its champion (90 % interval +0.050 to +0.070, at most +0.040"
        " allowed)."
    )
    held = decision(champion=champion(), reference=reference(EQUAL))
    assert ", and on 4,177 rows 0.000 above version 2's 2.000, the last version" in held.reason


def test_limits_are_settings() -> None:
    assert not decision(GateLimits(max_rmse=2.0)).approved
    assert not decision(GateLimits(min_rows=210)).approved
    worse = champion(comparison(0.3, 0.2, 0.4), sex=[comparison(0.3, 0.1, 0.5, value="F", rows=29)])
    assert decision(GateLimits(champion_tolerance=0.2), champion=worse).approved
    strict = GateLimits(champion_tolerance=0.2, min_slice_rows=29)
    assert decision(strict, champion=worse).rule == "worse_in_slice"
    assert decision(
        GateLimits(champion_tolerance=0.2, min_slice_rows=29, slice_tolerance=0.2), champion=worse
    ).approved


@pytest.mark.parametrize(
    "limits",
    [{"max_rmse": math.nan}, {"max_rmse": 0}, {"champion_tolerance": math.inf}, {"min_rows": -1}],
)
def test_refuses_limits_that_make_no_sense(limits: dict[str, Any]) -> None:
    with pytest.raises(GateError, match="must be finite and not below 0"):
        GateLimits(**limits)
