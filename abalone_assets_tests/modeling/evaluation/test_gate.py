import math
from typing import Any

import pytest

from abalone_assets.modeling.evaluation.gate import Decision, GateError, GateLimits, decide
from abalone_assets.modeling.evaluation.gate_rules import Rule
from abalone_assets.modeling.evaluation.reference import REFERENCE_RULES
from abalone_assets_tests.modeling.evaluation.judged import (
    APPROVING,
    BETTER,
    EQUAL,
    FIRST,
    INTACT,
    TOUCHED,
    champion,
    comparison,
    folds,
    part,
    reference,
)


def decision(limits: GateLimits | None = None, **changes: Any) -> Decision:
    """On a model that is good enough for a platform without a champion, but for the changes."""
    return decide({**FIRST, **changes}, limits or GateLimits())


def assert_decided(decided: Decision, rule: Rule) -> None:
    assert (decided.approved, decided.rule) == (rule in APPROVING, rule)


def test_approves_the_first_model_that_is_good_enough() -> None:
    first = decision()
    assert_decided(first, "first_model")
    assert first.reason == (
        "Approved: RMSE 2.100 on the 209 test rows is within the limit of 2.5, and no "
        "approved version is live to hold it against."
    )
    assert_decided(decision(rmse=2.5), "first_model")


@pytest.mark.parametrize("rmse", [math.nan, math.inf, -math.inf, -1, None, "2.0", True])
def test_rejects_a_score_that_is_no_number(rmse: Any) -> None:
    assert_decided(decision(rmse=rmse), "unusable_rmse")


def test_rejects_an_empty_evaluation() -> None:
    assert_decided(decide({}, GateLimits()), "unusable_rmse")


@pytest.mark.parametrize("rmse", [2.5001, 9])
def test_rejects_a_model_above_the_limit_even_the_champion_itself(rmse: float) -> None:
    refused = decision(rmse=rmse, model_sha256="old", champion=champion())
    assert_decided(refused, "above_max_rmse")


@pytest.mark.parametrize(
    "split",
    [None, {}, *({**INTACT, count: 1} for count in TOUCHED), {**INTACT, "missing": None}],
)
def test_rejects_a_test_split_that_is_not_as_its_hash_makes_it(split: Any) -> None:
    assert_decided(decision(split=split), "test_split_touched")


def test_says_how_the_test_split_was_touched() -> None:
    assert decision(split={**INTACT, "leaked": 1200}).reason == (
        "Rejected: the test split was touched: 1,200 rows of it, or of its hash, are in what the"
        " model learnt; prepare the data again."
    )


@pytest.mark.parametrize("unknown", [{"near_twins": None}, {"surveyed": None}])
def test_rejects_rows_whose_near_duplicates_nobody_counted(unknown: Any) -> None:
    refused = decision(split={**INTACT, **unknown})
    assert_decided(refused, "near_twins")
    assert refused.reason == (
        "Rejected: the evaluation does not say how many rows are near duplicates of another row."
    )


def test_rejects_a_survey_that_was_sent_twice_with_other_readings() -> None:
    """5 % of UCI's 4,177 rows are 208.9, and chance gives 0.3 % at most."""
    assert_decided(decision(split={**INTACT, "near_twins": 219}), "first_model")
    refused = decision(split={**INTACT, "near_twins": 220})
    assert_decided(refused, "near_twins")
    assert refused.reason == (
        "Rejected: 220 of 4,177 surveyed rows are within one instrument step of another row (at"
        " most 219 allowed), as if a survey was sent twice under another name."
    )


def many(surveyed: int, sent_twice: float = 0.0, pairs: float = 1.0) -> dict[str, Any]:
    """What is counted among many animals, some of them sent twice, and of UCI's so many pairs."""
    alone = math.exp(-2 * pairs / 4177**2 * surveyed)
    return {**INTACT, "surveyed": surveyed, "near_twins": surveyed * (1 - (1 - sent_twice) * alone)}


@pytest.mark.parametrize("surveyed", [430_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("pairs", [0, 1, 5.57])
def test_the_more_animals_the_more_are_alike_by_chance(surveyed: int, pairs: float) -> None:
    assert_decided(decision(split=many(surveyed, pairs=pairs)), "first_model")


@pytest.mark.parametrize(
    ("surveyed", "found", "missed"),
    [
        (4_177, 0.053, 0.051),
        (100_000, 0.11, 0.10),
        (500_000, 0.29, 0.28),
        (1_000_000, 0.47, 0.46),
        (2_000_000, 0.72, 0.71),
        (4_600_000, 1.0, 0.99),
        (4_700_000, None, 1.0),
    ],
)
def test_a_survey_that_was_sent_twice_is_found_among_many_once_it_is_large(
    surveyed: int, found: float | None, missed: float
) -> None:
    assert_decided(decision(split=many(surveyed, missed)), "first_model")
    if found is not None:
        assert_decided(decision(split=many(surveyed, found)), "near_twins")


@pytest.mark.parametrize("rows", [99, 0, None, math.nan])
def test_rejects_too_few_test_rows(rows: Any) -> None:
    assert_decided(decision(rows=rows), "too_few_rows")
    assert_decided(decision(rows=100), "first_model")


@pytest.mark.parametrize("told", [False, None, "yes", 1])
def test_rejects_a_model_that_learnt_other_rows_than_the_training_split(told: Any) -> None:
    refused = decision(trained_on_train_split=told)
    assert_decided(refused, "trained_on_other_rows")
    assert refused.reason == (
        "Rejected: the training split is not shown to be what the model was trained on; train it"
        " again."
    )


@pytest.mark.parametrize(
    ("low", "rule"),
    [
        (2.199, "first_model"),
        (2.201, "final_fit_unlike_its_folds"),
        (None, "unusable_evidence"),
        (math.nan, "unusable_evidence"),
    ],
)
def test_a_first_model_may_not_be_clearly_worse_than_out_of_fold(low: Any, rule: Rule) -> None:
    assert_decided(decision(**folds(low)), rule)
    assert_decided(decision(**folds(low, confidence=None)), "unusable_evidence")
    assert_decided(decision(**folds(low, out_of_fold=None, confidence=None)), "first_model")


def test_says_that_the_final_fit_went_wrong() -> None:
    assert decision(**folds(2.3)).reason == (
        "Rejected: on the test split the RMSE is 2.450, at least 2.300, and out of fold it was"
        " 2.000: the final fit went wrong; train it again."
    )


def test_approves_the_champion_itself_as_unchanged() -> None:
    unpaired = {**champion(), "paired": None}
    assert_decided(decision(model_sha256="old", champion=unpaired), "unchanged")


def test_two_models_without_a_digest_are_not_the_same() -> None:
    nameless = {**champion(comparison(1.0, 0.9, 1.1)), "model_sha256": None}
    assert_decided(decision(model_sha256=None, champion=nameless), "worse_than_champion")


@pytest.mark.parametrize(
    ("overall", "rule"),
    [
        (BETTER, "better_than_champion"),
        (EQUAL, "holds_against_champion"),
        (comparison(0.03, 0.02, 0.04), "holds_against_champion"),  # worse, but within the margin
        (comparison(0.03, 0.02, 0.0401), "worse_than_champion"),
        (comparison(0.03, 0.0, 0.0401), "not_shown_as_good"),
        (comparison(-0.1, -0.3, 0.1), "not_shown_as_good"),  # better, but that may be chance
    ],
)
def test_asks_whether_the_interval_lies_within_the_margin(overall: Any, rule: Rule) -> None:
    assert_decided(decision(champion=champion(overall)), rule)


@pytest.mark.parametrize(
    ("test", "rule"),
    [
        (comparison(0.21, 0.04, 0.4, rows=209), "worse_on_test_split"),
        (comparison(0.21, 0.0, 0.4, rows=209), "better_than_champion"),  # that may be chance
        (comparison(0.19, 0.04, 0.4, rows=209), "better_than_champion"),  # within the margin
    ],
)
def test_a_ruined_final_fit_does_not_hide_behind_good_folds(test: Any, rule: Rule) -> None:
    assert_decided(decision(champion=champion(BETTER, test)), rule)


def test_says_that_the_test_rows_are_the_ones_that_the_model_answers_itself() -> None:
    ruined = comparison(0.25, 0.04, 0.4, rows=209)
    assert decision(champion=champion(EQUAL, ruined)).reason == (
        "Rejected: on the 209 test rows, the only ones that it answers itself, RMSE 2.250 is 0.250"
        " above champion version 3's 2.000 (90 % interval +0.040 to +0.400, at most +0.200"
        " allowed)."
    )


def test_two_rmses_never_look_equal_beside_a_difference() -> None:
    close = {**comparison(0.0006, -0.001, 0.002), "rmse": 2.0004, "champion_rmse": 1.9998}
    assert "RMSE 2.0004 is 0.0006 above champion version 3's 1.9998" in (
        decision(champion=champion(close)).reason
    )


def test_says_why_the_test_rows_alone_are_compared() -> None:
    few = {**champion(), "test_rows_alone": "the out-of-fold predictions are of 5 folds and of 2"}
    assert (
        " that neither model had learnt from (the test rows alone: the out-of-fold predictions are"
        " of 5 folds and of 2), RMSE 2.000 is 0.000 above"
    ) in decision(champion=few).reason


@pytest.mark.parametrize(
    ("beside", "rule"),
    [
        (part(0.3, 0.1, 0.5), "worse_in_slice"),
        (champion(age_band=[comparison(0.3, 0.1, 0.5, value="16+ rings")]), "worse_in_slice"),
        (part(0.3, -0.1, 0.7), "holds_against_champion"),
        (part(0.19, 0.1, 0.3), "holds_against_champion"),
        (part(0.3, 0.1, 0.5, rows=29), "holds_against_champion"),
        (part(0.3, 0.21, 0.5, rows=29), "worse_in_slice"),
        (part(0.3, 0.21, 0.5, rows=9), "holds_against_champion"),
    ],
)
def test_no_slice_may_be_clearly_worse_the_fewer_rows_the_clearer(beside: Any, rule: Rule) -> None:
    assert_decided(decision(champion=beside), rule)


def test_an_approval_names_the_slices_that_nobody_could_judge() -> None:
    few = [comparison(0.3, 0.1, 0.5, value="16+ rings", rows=12), EQUAL]
    approved = decision(champion=champion(age_band=few))
    assert_decided(approved, "holds_against_champion")
    assert approved.reason.endswith("; too few rows to judge the animals of 16+ rings (12).")
    assert "too few" not in decision(champion=champion()).reason


def test_names_the_worst_slice() -> None:
    bad = comparison(0.25, 0.1, 0.4, value="F", rows=1307)
    worst = comparison(0.8, 0.5, 1.0, value="16+ rings", rows=260)
    assert decision(champion=champion(sex=[bad], age_band=[worst])).reason == (
        "Rejected: for the animals of 16+ rings, RMSE 2.800 on 260 rows is 0.800 above champion"
        " version 3's 2.000 (90 % interval +0.500 to +1.000, at most +0.200 allowed)."
    )


def test_gives_the_numbers_of_a_comparison_in_one_sentence() -> None:
    assert decision(champion=champion(BETTER)).reason == (
        "Approved: RMSE 2.100 on the 209 test rows is within the limit of 2.5, and on 4,177 rows"
        " that neither model had learnt from, RMSE 1.988 is 0.012 below champion version 3's"
        " 2.000 (90 % interval \N{MINUS SIGN}"
        "0.020 to \N{MINUS SIGN}0.004, at most +0.040 allowed)."
    )
    unclear = champion(comparison(0.05, -0.1, 0.2, rows=209))
    assert decision(champion=unclear).reason == (
        "Rejected: too little evidence: on 209 rows that neither model had learnt from, RMSE 2.050"
        " is 0.050 above champion version 3's 2.000 (90 % interval \N{MINUS SIGN}0.100 to +0.200,"
        " at most +0.040 allowed)."
    )


@pytest.mark.parametrize(
    ("older", "rule"),
    [
        (BETTER, "better_than_champion"),
        (EQUAL, "holds_against_reference"),
        (comparison(0.03, 0.02, 0.04), "holds_against_reference"),
        (comparison(0.03, 0.02, 0.0401), "worse_than_reference"),
        (comparison(0.03, 0.0, 0.0401), "not_shown_as_good_as_reference"),
    ],
)
def test_a_model_better_than_the_champion_must_hold_against_the_reference_too(
    older: Any, rule: Rule
) -> None:
    assert_decided(decision(champion=champion(BETTER), reference=reference(older)), rule)


def test_a_model_better_than_the_reference_alone_holds_against_the_champion() -> None:
    decided = decision(champion=champion(), reference=reference(BETTER))
    assert_decided(decided, "holds_against_champion")


def test_is_worse_than_the_champion_before_it_is_worse_than_the_reference_or_in_a_slice() -> None:
    worse = comparison(0.3, 0.2, 0.4)
    every: dict[str, Any] = {"reference": reference(worse)}
    assert_decided(decision(champion=champion(worse), **every), "worse_than_champion")
    assert_decided(decision(champion=part(0.3, 0.1, 0.5), **every), "worse_than_reference")


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


def test_only_the_first_model_and_one_better_than_both_others_become_the_reference() -> None:
    assert {"first_model", "better_than_champion"} == REFERENCE_RULES


@pytest.mark.parametrize("name", ["rows", "rmse", "champion_rmse", "difference", "low", "high"])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "0"])
def test_a_comparison_without_a_usable_number_never_approves(name: str, value: Any) -> None:
    broken = {**comparison(-1, -1.1, -0.9), name: value}
    for other in (champion(broken), champion(test=broken), champion(sex=[EQUAL, broken])):
        assert_decided(decision(champion=other), "unusable_evidence")


@pytest.mark.parametrize("name", ["rows", "rmse", "champion_rmse", "difference", "low", "high"])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "0"])
def test_a_reference_without_a_usable_number_never_approves(name: str, value: Any) -> None:
    broken = {**comparison(-1, -1.1, -0.9), name: value}
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


@pytest.mark.parametrize("unusable", [{}, {"paired": None}, {"paired": {}}, {"paired": "none"}])
def test_a_champion_without_a_comparison_is_not_replaced(unusable: dict[str, Any]) -> None:
    assert_decided(decision(champion=unusable), "unusable_evidence")
    named = {**champion(), "paired": None, **unusable}
    assert_decided(decision(champion=named), "unusable_evidence")


@pytest.mark.parametrize("unusable", [{}, {"paired": None}, {"paired": {}}, {"paired": "none"}])
def test_a_reference_without_a_comparison_never_approves(unusable: dict[str, Any]) -> None:
    assert_decided(decision(champion=champion(), reference=unusable), "unusable_evidence")
    assert_decided(decision(champion=champion(), reference=None), "holds_against_champion")


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
