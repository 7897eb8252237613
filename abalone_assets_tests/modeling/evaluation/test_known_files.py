"""What the gate makes of rows that the champion did not know."""

import math
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from abalone_assets.modeling.archive import ArchivedModel, read_archived
from abalone_assets.modeling.dataset import concat, take
from abalone_assets.modeling.evaluation.champion import Champion
from abalone_assets.modeling.evaluation.evaluate import Splits, evaluate_model
from abalone_assets.modeling.evaluation.gate import Decision, GateLimits, decide
from abalone_assets.modeling.evaluation.gate_rules import Rule
from abalone_assets.modeling.evaluation.split_integrity import row_buckets
from abalone_assets.modeling.training.train import fit
from abalone_assets.survey.splits import buckets_of
from abalone_assets_tests.modeling.evaluation.judged import (
    BETTER,
    EQUAL,
    FIRST,
    champion,
    comparison,
    reference,
)
from abalone_assets_tests.modeling.support import (
    CREATED_AT,
    QUICK,
    Table,
    packed,
    rows,
    survey_frame,
)

GAIN = comparison(-0.212, -0.25, -0.18)
WORSE = comparison(0.06, 0.02, 0.1, rows=3968)
UNCLEAR = comparison(0.03, -0.01, 0.07, rows=3968)
HELD = comparison(0.005, -0.003, 0.012, rows=3968)
NEW = comparison(-1.4, -1.6, -1.1, rows=209, value="abalone.20250814093000")
APPROVING = ("better_than_champion", "holds_against_reference", "holds_against_champion")


def known(overall: Any = HELD, test: Any = None, **changes: Any) -> dict[str, Any]:
    slices = {"sex": [EQUAL], "age_band": [EQUAL], **changes.pop("slices", {})}
    paired = {"overall": overall, "test": test, "slices": slices}
    told = {"told_by": "learnt_rows", "paired": paired, "new": NEW, "new_files": [NEW]}
    return {**told, **changes}


def decision(overall: Any, files: Any, older: Any = None, **limits: Any) -> Decision:
    beside = {**champion(overall), "known_files": files}
    return decide({**FIRST, "champion": beside, "reference": older}, GateLimits(**limits))


@pytest.mark.parametrize(
    ("overall", "files", "rule"),
    [
        (GAIN, known(HELD), "holds_against_champion"),  # wrong rows that only the model learnt
        (GAIN, known({**BETTER, "rows": 3968}), "better_than_champion"),
        (EQUAL, known({**BETTER, "rows": 3968}), "holds_against_champion"),
        # better where both know nothing hides a loss where both know much
        (GAIN, known(WORSE), "worse_on_known_files"),
        (GAIN, known(UNCLEAR), "gain_only_on_new_files"),
        (EQUAL, known(WORSE), "worse_on_known_files"),
        (EQUAL, known(UNCLEAR), "not_shown_on_known_files"),
        (WORSE, known(HELD), "worse_than_champion"),
        (GAIN, known(None), "unusable_evidence"),
        # it knew too few to judge, as after another base survey: all rows decide, no gain counts
        (GAIN, known(paired=None), "holds_against_champion"),
        (EQUAL, known(paired=None), "holds_against_champion"),
        (WORSE, known(paired=None), "worse_than_champion"),
        (GAIN, known({**BETTER, "rows": 99}), "holds_against_champion"),
        (GAIN, known({**UNCLEAR, "rows": 99}), "holds_against_champion"),
        (GAIN, known(comparison(0.3, 0.1, 0.5, rows=99)), "worse_on_known_files"),
        (GAIN, known(comparison(0.3, 0.1, 0.5, rows=9)), "holds_against_champion"),
        (GAIN, known({**HELD, "rows": 100}), "holds_against_champion"),
        # nor does the final fit, or a slice, hide behind rows of new files
        (GAIN, known(HELD, comparison(0.25, 0.04, 0.4, rows=30)), "worse_on_test_split"),
        (GAIN, known(HELD, comparison(0.25, 0.04, 0.4, rows=29)), "holds_against_champion"),
        (GAIN, known(slices={"sex": [comparison(0.3, 0.1, 0.5, value="F")]}), "worse_in_slice"),
        # which rows the champion knew is not recorded: it holds, and is not shown to be better
        (GAIN, known(told_by=None, paired=None), "holds_against_champion"),
        (GAIN, known(BETTER, told_by="out_of_fold"), "better_than_champion"),
    ],
)
def test_a_model_must_hold_on_the_rows_that_the_champion_knew(
    overall: Any, files: Any, rule: Rule
) -> None:
    decided = decision(overall, files)
    assert (decided.rule, decided.approved) == (rule, rule in APPROVING)


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        (known({**BETTER, "rows": 3968}), "better_than_champion"),
        (known(HELD), "holds_against_reference"),
        (known(WORSE), "worse_than_reference"),
        (known(UNCLEAR), "not_shown_as_good_as_reference"),
        (known(told_by=None, paired=None), "holds_against_reference"),
        # an old reference that knew hardly any of today's rows does not bar the way, and lapses
        (known(paired=None), "better_than_champion"),
        (known({**WORSE, "rows": 99}), "better_than_champion"),
    ],
)
def test_a_model_must_hold_on_the_rows_that_the_reference_knew(files: Any, rule: Rule) -> None:
    older = {**reference(GAIN), "known_files": files}
    decided = decision(GAIN, known({**BETTER, "rows": 3968}), older)
    assert (decided.rule, decided.approved) == (rule, rule in APPROVING)


@pytest.mark.parametrize(
    "files",
    [
        *(None, {}, "none", [], {"told_by": "learnt_rows"}, known(told_by="hearsay")),
        *(known(told_by=[]), known(paired="none"), known(paired={}), known({**HELD, "low": 1})),
        *(known({**HELD, name: math.nan}) for name in ("rows", "rmse", "low", "high")),
        *(known(slices={"sex": []}), known(HELD, {"rows": 3}), known({**HELD, "rows": 4178})),
    ],
)
def test_evidence_on_known_rows_that_is_unusable_never_approves(files: Any) -> None:
    refused = decision(GAIN, files)
    assert (refused.approved, refused.rule) == (False, "unusable_evidence")
    assert "evaluate the model again" in refused.reason


def test_an_approval_tells_both_comparisons_and_where_the_gain_is() -> None:
    assert decision(GAIN, known()).reason == (
        "Approved: RMSE 2.100 on the 209 test rows is within the limit of 2.5, and on 4,177 rows"
        " that neither model had learnt from, RMSE 1.788 is 0.212 below champion version 3's"
        " 2.000 (90 % interval \N{MINUS SIGN}"
        "0.250 to \N{MINUS SIGN}0.180, at most +0.040 allowed), and on the 3,968 of files that it"
        " knew 0.005 above champion version 3's 2.000 (90 % interval \N{MINUS SIGN}0.003 to +0.012,"
        " at most +0.040 allowed); the gain is on the rows new to it (abalone.20250814093000)"
        " alone."
    )


def test_a_rejection_tells_both_comparisons_and_which_files_to_look_at() -> None:
    assert decision(GAIN, known(WORSE)).reason == (
        "Rejected: on the 3,968 rows of files that champion version 3 knew, RMSE 2.060 is 0.060"
        " above champion version 3's 2.000 (90 % interval +0.020 to +0.100, at most +0.040"
        " allowed), though on all 4,177 rows it is 0.212 below: look at the rows new to it"
        " (abalone.20250814093000)."
    )
    assert decision(GAIN, known(UNCLEAR)).reason.startswith(
        "Rejected: too little evidence: on the 3,968 rows of files that champion version 3 knew,"
    )


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (known(EQUAL), "allowed), all of them of files that it knew."),
        (known(told_by="out_of_fold"), "that it knew (as its out-of-fold predictions tell: its"),
        (
            known(told_by=None, paired=None),
            "; nothing tells which files champion version 3 knew: a gain on all rows is none over",
        ),
        (
            known(paired=None),
            "; none of them is of files that champion version 3 knew, so that all rows",
        ),
        (
            known({**HELD, "rows": 99}),
            "; 99 of them, too few to judge, are of files that champion version 3 knew",
        ),
        (known(new_files=[NEW] * 4), "0814093000, abalone.20250814093000, …) alone."),
    ],
)
def test_says_how_it_is_known_which_files_the_champion_knew(files: Any, told: str) -> None:
    assert told in decision(GAIN, files).reason


def test_an_older_reference_that_knew_too_little_is_told_of() -> None:
    older = {**reference(EQUAL), "known_files": known({**HELD, "rows": 99})}
    told = decision(GAIN, known(BETTER), older).reason
    assert "; 99 of them, too few to judge, are of files that version 2 knew" in told


FILE = "abalone.20250814093000"


def dealt(columns: Table) -> Splits:
    """The splits that the rows' hashes make."""
    bucket = row_buckets(columns)
    parts = {
        name: take(columns, np.isin(bucket, buckets_of(f"{name}_split")))
        for name in ("train", "validation", "test")
    }
    return Splits(**parts)


def trained(splits: Splits) -> ArchivedModel:
    model = fit("xgboost", splits.train, splits.validation, QUICK, created_at=CREATED_AT)
    with TemporaryDirectory() as folder:
        return read_archived(packed(model, Path(folder)))


BASE = rows(0, len(survey_frame()) - 250)
SURVEY = rows(len(survey_frame()) - 250, len(survey_frame()), FILE)
POISONED = {**SURVEY, **{name: SURVEY[name] / 5 for name in SURVEY if name.endswith("weight")}}


@cache
def knows_base() -> ArchivedModel:
    return trained(dealt(BASE))


@cache
def knows_poison() -> ArchivedModel:
    return trained(dealt(concat([BASE, POISONED])))


def judge(model: ArchivedModel, beside: ArchivedModel, columns: Table) -> tuple[Decision, Any]:
    evaluation = evaluate_model(
        model, dealt(columns), champion=Champion("1", beside), missing_rows=0, foreign_rows=0
    )
    return decide(evaluation.document, GateLimits()), evaluation.document["champion"]


def test_250_rows_with_a_fifth_of_their_weights_make_no_better_model() -> None:
    decided, beside = judge(knows_poison(), knows_base(), concat([BASE, POISONED]))
    assert beside["paired"]["overall"]["high"] < 0  # the champion had not learnt the wrong rows
    assert beside["known_files"]["paired"]["overall"]["high"] >= 0
    assert beside["known_files"]["new_files"][0]["difference"] < -0.5
    assert decided.rule != "better_than_champion"
    assert f"rows new to it ({FILE})" in decided.reason


def test_what_learnt_wrong_rows_is_judged_on_the_rows_that_are_left() -> None:
    decided, beside = judge(knows_base(), knows_poison(), BASE)
    assert decided.approved
    assert beside["known_files"]["new"] is None
    corrected, beside = judge(
        trained(dealt(concat([BASE, SURVEY]))), knows_poison(), concat([BASE, SURVEY])
    )
    assert corrected.approved
    assert beside["known_files"]["new"]["rows"] == 250


def test_another_base_survey_needs_no_hand() -> None:
    before, after = rows(0, 1000), rows(1000, len(survey_frame()))
    decided, beside = judge(trained(dealt(after)), trained(dealt(before)), after)
    assert beside["known_files"]["paired"] is None
    assert (decided.approved, decided.rule) == (True, "holds_against_champion")
    assert "none of them is of files that champion version 1 knew, so that all" in decided.reason


def test_a_survey_with_wrong_rows_as_many_as_right_ones_is_judged_on_what_both_know() -> None:
    half = rows(0, 2000)
    poison = rows(2000, len(survey_frame()), FILE)
    poison["whole_weight"] = poison["whole_weight"] / 5
    both = concat([half, poison])
    decided, beside = judge(trained(dealt(both)), trained(dealt(half)), both)
    assert beside["known_files"]["paired"]["overall"]["rows"] >= 1500
    assert decided.rule != "better_than_champion"


def test_wrong_rows_that_both_learnt_speak_for_neither() -> None:
    splits = concat([BASE, POISONED])
    again = fit(
        "xgboost",
        *(dealt(splits).train, dealt(splits).validation),
        type(QUICK)(**{**vars(QUICK), "seed": 1}),
        created_at=CREATED_AT,
    )
    with TemporaryDirectory() as folder:
        decided, beside = judge(read_archived(packed(again, Path(folder))), knows_poison(), splits)
    assert beside["known_files"]["new"] is None
    assert decided.rule != "better_than_champion"
