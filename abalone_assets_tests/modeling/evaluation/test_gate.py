import math
from typing import Any

import pytest

from abalone_assets.modeling.evaluation.gate import (
    Decision,
    GateError,
    GateLimits,
    decide,
)
from abalone_assets.modeling.evaluation.reference import REFERENCE_RULES

TOUCHED = ("misplaced", "leaked", "missing", "foreign")
INTACT = {**dict.fromkeys(TOUCHED, 0), "near_twins": 0, "surveyed": 4177}
APPROVING = {
    *("first_model", "unchanged", "better_than_champion"),
    *("holds_against_reference", "holds_against_champion"),
}


def comparison(difference: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    """A model against a champion with an RMSE of 2 rings on the same 4,177 rows."""
    numbers = {"rmse": 2 + difference, "champion_rmse": 2.0, "difference": difference}
    return {"value": "all", "rows": 4177, **numbers, "low": low, "high": high, **changes}


EQUAL = comparison(0.0, -0.01, 0.01)
BETTER = comparison(-0.012, -0.020, -0.004)


def champion(overall: Any = EQUAL, test: Any = EQUAL, **slices: Any) -> dict[str, Any]:
    groups = {"sex": [EQUAL], "age_band": [EQUAL], **slices}
    paired = {"overall": overall, "test": test, "slices": groups}
    return {"version": "3", "rmse": 2.1, "model_sha256": "old", "paired": paired}


def reference(overall: Any = EQUAL) -> dict[str, Any]:
    """An older version that the model is held against as well."""
    return {**champion(overall), "version": "2"}


def part(difference: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    """A champion that the model holds against but for one sex."""
    return champion(sex=[comparison(difference, low, high, value="F", **changes)])


NAMELESS = {**champion(comparison(1.0, 0.9, 1.1)), "model_sha256": None}
FIRST: dict[str, Any] = {
    "rmse": 2.1,
    "rows": 209,
    "split": INTACT,
    "trained_on_train_split": True,
    "model_sha256": "new",
    "champion": None,
    "reference": None,
}


def folds(low: object, **changes: Any) -> dict[str, Any]:
    """An RMSE of 2 rings out of fold, and a low end of its interval on the test split."""
    told = {"out_of_fold": {"rows": 3968, "folds": 5, "rmse": 2.0}, "rmse": 2.45}
    return {**told, "confidence": {"rmse": [low, 2.6]}, **changes}


def decision(limits: GateLimits | None = None, **changes: Any) -> Decision:
    """On a model that is good enough for a platform without a champion, but for the changes."""
    return decide({**FIRST, **changes}, limits or GateLimits())


def assert_decided(decided: Decision, rule: str) -> None:
    assert (decided.approved, decided.rule) == (rule in APPROVING, rule)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        *((given, "first_model") for given in ({}, {"rmse": 2.5}, {"rows": 100})),
        *(
            ({"rmse": rmse}, "unusable_rmse")
            for rmse in (math.nan, math.inf, -math.inf, -1, None, "2.0", True)
        ),
        *(
            ({"rmse": rmse, "model_sha256": "old", "champion": champion()}, "above_max_rmse")
            for rmse in (2.5001, 9)
        ),
        ({"split": None}, "test_split_touched"),
        ({"split": {}}, "test_split_touched"),
        *(({"split": {**INTACT, count: 1}}, "test_split_touched") for count in TOUCHED),
        ({"split": {**INTACT, "missing": None}}, "test_split_touched"),
        *(({"split": {**INTACT, name: None}}, "near_twins") for name in ("near_twins", "surveyed")),
        ({"split": {**INTACT, "near_twins": 208}}, "first_model"),
        ({"split": {**INTACT, "near_twins": 209}}, "near_twins"),
        *(
            ({"trained_on_train_split": told}, "trained_on_other_rows")
            for told in (False, None, "yes", 1)
        ),
        *(({"rows": rows}, "too_few_rows") for rows in (99, 0, None, math.nan)),
        (folds(2.199), "first_model"),
        (folds(2.201), "final_fit_unlike_its_folds"),
        *((folds(low), "unusable_evidence") for low in (None, math.nan)),
        (folds(2.199, confidence=None), "unusable_evidence"),
        (folds(2.199, confidence=None, out_of_fold=None), "first_model"),
        ({"model_sha256": "old", "champion": {**champion(), "paired": None}}, "unchanged"),
        ({"model_sha256": None, "champion": NAMELESS}, "worse_than_champion"),
    ],
)
def test_judges_a_model_by_itself(changes: dict[str, Any], rule: str) -> None:
    assert_decided(decision(**changes), rule)


def test_rejects_an_empty_evaluation() -> None:
    assert not decide({}, GateLimits()).approved


@pytest.mark.parametrize(
    ("beside", "rule"),
    [
        (champion(BETTER), "better_than_champion"),
        (champion(), "holds_against_champion"),
        (champion(comparison(0.03, 0.02, 0.04)), "holds_against_champion"),  # within the margin
        (champion(comparison(0.03, 0.02, 0.0401)), "worse_than_champion"),
        (champion(comparison(0.03, 0.0, 0.0401)), "not_shown_as_good"),
        (champion(comparison(-0.1, -0.3, 0.1)), "not_shown_as_good"),  # better, maybe by chance
        # a ruined final fit does not hide behind good folds
        (champion(BETTER, comparison(0.21, 0.04, 0.4, rows=209)), "worse_on_test_split"),
        (champion(BETTER, comparison(0.21, 0.0, 0.4, rows=209)), "better_than_champion"),
        (champion(BETTER, comparison(0.19, 0.04, 0.4, rows=209)), "better_than_champion"),
        # no slice may be clearly worse: the fewer rows, the clearer
        (part(0.3, 0.1, 0.5), "worse_in_slice"),
        (champion(age_band=[comparison(0.3, 0.1, 0.5, value="16+ rings")]), "worse_in_slice"),
        (part(0.3, -0.1, 0.7), "holds_against_champion"),
        (part(0.19, 0.1, 0.3), "holds_against_champion"),
        (part(0.3, 0.1, 0.5, rows=29), "holds_against_champion"),
        (part(0.3, 0.21, 0.5, rows=29), "worse_in_slice"),
        (part(0.3, 0.21, 0.5, rows=9), "holds_against_champion"),
    ],
)
def test_holds_a_model_against_the_champion(beside: dict[str, Any], rule: str) -> None:
    assert_decided(decision(champion=beside), rule)


@pytest.mark.parametrize(
    ("beside", "older", "rule"),
    [
        (champion(BETTER), BETTER, "better_than_champion"),
        (champion(BETTER), EQUAL, "holds_against_reference"),
        (champion(BETTER), comparison(0.03, 0.02, 0.04), "holds_against_reference"),
        (champion(BETTER), comparison(0.03, 0.02, 0.0401), "worse_than_reference"),
        (champion(BETTER), comparison(0.03, 0.0, 0.0401), "not_shown_as_good_as_reference"),
        (champion(), BETTER, "holds_against_champion"),
        # the champion is asked about before the reference, and that before the slices
        (champion(comparison(0.3, 0.2, 0.4)), comparison(0.3, 0.2, 0.4), "worse_than_champion"),
        (part(0.3, 0.1, 0.5), comparison(0.3, 0.2, 0.4), "worse_than_reference"),
    ],
)
def test_holds_a_model_against_the_reference_too(
    beside: dict[str, Any], older: dict[str, Any], rule: str
) -> None:
    assert_decided(decision(champion=beside, reference=reference(older)), rule)


def test_only_the_first_model_and_one_better_than_both_others_become_the_reference() -> None:
    assert {"first_model", "better_than_champion"} == REFERENCE_RULES


@pytest.mark.parametrize("name", ["rows", "rmse", "champion_rmse", "difference", "low", "high"])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "0"])
def test_a_comparison_without_a_usable_number_never_approves(name: str, value: Any) -> None:
    broken = {**comparison(-1, -1.1, -0.9), name: value}
    for other in (champion(broken), champion(test=broken), champion(sex=[EQUAL, broken])):
        assert_decided(decision(champion=other), "unusable_evidence")
    refused = decision(champion=champion(), reference=reference(broken))
    assert_decided(refused, "unusable_evidence")


@pytest.mark.parametrize(
    "changed",
    [
        *({"overall": overall} for overall in (None, {}, {**EQUAL, "rows": 99}, "none")),
        *({"overall": {**EQUAL, "low": low}} for low in (0.005, 0.02)),
        {"overall": comparison(0.5, -0.2, -0.1)},
        {"overall": {**EQUAL, "champion_rmse": 2.1}},
        {"overall": {**EQUAL, "rows": 4177.5}},
        {"overall": {**EQUAL, "rows": 10**400}},
        {"test": None},
        {"slices": None},
        {"slices": {}},
        {"slices": "sex"},
        {"slices": {"sex": [EQUAL]}},
        *({"slices": {"sex": sex, "age_band": [EQUAL]}} for sex in (None, [], "M", ["M"], EQUAL)),
        {"slices": {"sex": [EQUAL], "age_band": [{"value": "16+ rings", "rows": 3}]}},
    ],
)
def test_evidence_that_is_missing_or_contradicts_itself_never_approves(changed: Any) -> None:
    known = champion()
    refused = decision(champion={**known, "paired": {**known["paired"], **changed}})
    assert_decided(refused, "unusable_evidence")
    assert "evaluate the model again" in refused.reason


@pytest.mark.parametrize("other", [{}, {"paired": None}, {"paired": {}}, {"paired": "none"}])
def test_another_model_without_a_comparison_is_not_replaced(other: dict[str, Any]) -> None:
    assert_decided(decision(champion=other), "unusable_evidence")
    assert_decided(decision(champion=champion(), reference=other), "unusable_evidence")


@pytest.mark.parametrize("role", ["champion", "reference"])
@pytest.mark.parametrize("told", ["nothing", "version 2", []])
def test_an_evaluation_must_say_who_the_others_are_or_that_there_are_none(
    role: str, told: Any
) -> None:
    evaluation = {**FIRST, role: told}
    if told == "nothing":
        del evaluation[role]
    refused = decide(evaluation, GateLimits())
    assert_decided(refused, "unusable_evidence")
    assert f"does not say what the {role} is" in refused.reason


RUINED = champion(EQUAL, comparison(0.25, 0.04, 0.4, rows=209))
FEW = {**champion(), "test_rows_alone": "the out-of-fold predictions are of 5 folds and of 2"}
UNCLEAR = champion(comparison(0.05, -0.1, 0.2, rows=209))
WORST = champion(
    sex=[comparison(0.25, 0.1, 0.4, value="F", rows=1307)],
    age_band=[comparison(0.8, 0.5, 1.0, value="16+ rings", rows=260)],
)
SMALL = champion(age_band=[comparison(0.3, 0.1, 0.5, value="16+ rings", rows=12), EQUAL])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "RMSE 2.100 is within the limit of 2.5, and there is no champion yet."),
        ({"split": {**INTACT, "near_twins": 209}}, "209 of 4,177 surveyed rows are within one"),
        ({"split": {**INTACT, "leaked": 1200}}, "1,200 rows of it, or of its hash, are in what"),
        ({"trained_on_train_split": False}, "not shown to be what the model was trained on; train"),
        (folds(2.3), "RMSE is 2.450, at least 2.300, and out of fold it was 2.000: the final fit"),
        ({"champion": RUINED}, "on the 209 test rows, the only ones that it answers itself, RMSE"),
        ({"champion": FEW}, "(the test rows alone: the out-of-fold predictions are of 5 folds and"),
        ({"champion": SMALL}, "; too few rows to judge the animals of 16+ rings (12)."),
        ({"champion": champion()}, "at most +0.040 allowed)."),
        (
            {"champion": WORST},
            "for the animals of 16+ rings, RMSE 2.800 on 260 rows is 0.800 above",
        ),
        ({"champion": UNCLEAR}, "too little evidence: on 209 rows that neither model had learnt"),
        ({"champion": champion(), "reference": reference()}, "on 4,177 rows 0.000 above version 2"),
    ],
)
def test_tells_the_numbers_that_decided(changes: dict[str, Any], told: str) -> None:
    decided = decision(**changes)
    assert told in decided.reason
    assert decided.reason.startswith("Approved: " if decided.approved else "Rejected: ")


def test_gives_its_reason_in_one_sentence() -> None:
    assert decision(champion=champion(BETTER)).reason == (
        "Approved: RMSE 2.100 is within the limit of 2.5, and on 4,177 rows that neither model had"
        " learnt from it is 0.012 below champion version 3's 2.000 (90 % interval \N{MINUS SIGN}"
        "0.020 to \N{MINUS SIGN}0.004, at most +0.040 allowed)."
    )
    older = comparison(0.06, 0.05, 0.07, rmse=2.04, champion_rmse=1.98)
    assert decision(champion=champion(), reference=reference(older)).reason == (
        "Rejected: it holds against champion version 3, but on 4,177 rows that neither model had"
        " learnt from, RMSE 2.040 is 0.060 above version 2's 1.980, the last version approved as"
        " more than just as good as its champion (90 % interval +0.050 to +0.070, at most +0.040"
        " allowed)."
    )


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
