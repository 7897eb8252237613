"""A decision in a line."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from abalone_assets.modeling.evaluation import decision_words
from abalone_assets.modeling.evaluation.decision_words import MAX_CHARACTERS, in_short
from abalone_assets.modeling.evaluation.gate import Decision, GateLimits, decide
from abalone_assets.modeling.evaluation.gate_rules import Rule, is_approving
from abalone_assets_tests.modeling.evaluation.judged import BETTER, FIRST, champion, comparison


def said(evaluation: dict[str, Any], limits: GateLimits | None = None) -> str:
    return in_short(vars(decide(evaluation, limits or GateLimits())), evaluation)


def test_it_has_one_number_and_says_which_rows_it_is_of() -> None:
    assert said(FIRST) == "Approved: held against no other, RMSE 2.100 on 209 test rows."
    limits = GateLimits(max_rmse=2.0)
    assert said(FIRST, limits) == "Rejected: above the limit, RMSE 2.100 on 209 test rows."
    better = {**FIRST, "champion": champion(BETTER)}
    told = "better than version 3, RMSE 0.012 less on 4,177 unseen rows."
    assert said(better) == f"Approved: {told}"
    worse = {**FIRST, "champion": champion(comparison(0.3, 0.2, 0.4))}
    told = "worse than version 3, RMSE 0.300 more on 4,177 unseen rows."
    assert said(worse) == f"Rejected: {told}"
    same = {**FIRST, "champion": {**champion(), "model_sha256": "new"}}
    assert said(same) == "Approved: the same model as version 3."


@pytest.mark.parametrize("rule", get_args(Rule))
def test_every_rule_has_words(rule: Rule) -> None:
    decision = Decision(approved=is_approving(rule), rule=rule, reason="the whole sentence")
    told = in_short(vars(decision), {})
    assert told != "the whole sentence"
    assert told.startswith("Approved: " if decision.approved else "Rejected: ")


def test_a_record_without_a_rule_keeps_the_beginning_of_its_sentence() -> None:
    sentence = (
        "Approved: RMSE 2.125 is within the limit of 2.5, and on 3,968 rows that neither model "
        "had learnt from it is below."
    )
    told = in_short({"approved": True, "reason": sentence}, {})
    assert told.endswith(" …")
    assert sentence.startswith(told.removesuffix(" …"))
    assert len(told) <= MAX_CHARACTERS + 2
    assert in_short({"reason": "as measured"}, {}) == "as measured"
    assert in_short({}, {}) == ""


@pytest.mark.parametrize("rule", ["non_inferior", "", None, ["first_model"], 3])
def test_a_record_with_a_rule_that_is_no_more_keeps_its_sentence(rule: object) -> None:
    decision = {"approved": True, "rule": rule, "reason": "as measured"}
    assert in_short(decision, FIRST) == "as measured"


def test_evidence_that_is_missing_leaves_the_number_out() -> None:
    decision = {"approved": True, "rule": "better_than_champion"}
    assert in_short(decision, {"champion": None}) == "Approved: better than version before."
    odd = {"champion": {"version": "2", "paired": {"overall": {"difference": "x", "rows": 2}}}}
    assert in_short(decision, odd) == "Approved: better than version 2."
    assert decision_words.shortened("x" * 300).endswith("…")
