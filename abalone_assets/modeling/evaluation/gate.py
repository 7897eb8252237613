"""The gate: whether an evaluated model may replace the champion.

It is a list of small rules, `RULES`; the first that has something to say decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from abalone_assets.modeling.evaluation import reference
from abalone_assets.modeling.evaluation.case import (
    Case,
    Decision,
    GateError,
    GateLimits,
    approved,
    rejected,
    short_of,
)
from abalone_assets.modeling.evaluation.evidence import Compared, UnusableEvidenceError, is_size
from abalone_assets.modeling.evaluation.reference import REFERENCE_RULES

__all__ = [
    "REFERENCE_RULES",
    "Decision",
    "GateError",
    "GateLimits",
    "decide",
    "rows_out_of_place",
]

_SPLIT_COUNTS: Final = {
    "misplaced": "are in it against their hash",
    "leaked": "of it, or of its hash, are in what the model learnt",
    "missing": "are missing from it",
    "foreign": "are in it beyond those of merged_dataset",
}
MAX_NEAR_DUPLICATE_SHARE: Final = 0.05
"""Largest share of surveyed rows that may have a near duplicate; see `near_duplicates`.

Of the 4,177 animals of UCI's survey 2 have one (0.05 %). The share grows as the number of rows
does, so that some 400,000 animals would reach the limit by nature. With every animal sent twice the
out-of-fold RMSE fell from 2.05 to 1.92; at the limit that is, in proportion, less than 0.01 rings.
"""

_EVIDENT_ROWS: Final = 10
"""Below it the ends of a bootstrap interval say nothing."""


def decide(evaluation: Mapping[str, Any], limits: GateLimits) -> Decision:
    """Approve a model that is good enough and not shown to be worse than the champion.

    Against the champion it is a test of non-inferiority on paired rows: the upper end of the
    90 % interval of the difference of both RMSEs must lie within the margin (ICH E9, *Statistical
    Principles for Clinical Trials*, 1998, section 3.3.2). Point estimates on a test split of some
    200 rows would decide by chance. No sex and no age band may be clearly worse either.

    Most of those rows are predicted out of fold, by models of the same recipe. Only the test rows
    are predicted by the model that would answer requests, so it may not be clearly worse there; a
    first model may not be clearly worse there than out of fold.

    Slow decline is guarded against in `reference`.

    Evidence that is missing, or that contradicts itself, never approves and never raises.

    Args:
        evaluation: The evaluation document; see `evaluate.evaluate_model`.
        limits: What is asked for.
    """
    case = Case(evaluation, limits)
    try:
        return next(decision for rule in RULES if (decision := rule(case)))
    except UnusableEvidenceError as error:
        return rejected(str(error), "unusable_evidence")


def _without_a_score(case: Case) -> Decision | None:
    score = case.evaluation.get("rmse")
    return (
        None if is_size(score) else rejected(f"the evaluation's RMSE is {score}", "unusable_rmse")
    )


def _test_split_touched(case: Case) -> Decision | None:
    """The test split's rows must be those of their hash."""
    split, rule = case.evaluation.get("split"), "test_split_touched"
    if not isinstance(split, Mapping):
        unsaid = "the evaluation does not say whether the test split is as its hash makes it"
        return rejected(unsaid, rule)
    for count, what in _SPLIT_COUNTS.items():
        rows = split.get(count)
        if not is_size(rows):
            unsaid = f"the evaluation does not say how many rows of the test split {what}"
            return rejected(unsaid, rule)
        if rows:
            touched = f"the test split was touched: {rows:,} rows {what}; prepare the data again"
            return rejected(touched, rule)
    return None


def rows_out_of_place(split: Mapping[str, Any]) -> int:
    """Rows that are where their hash does not put them, as far as they were counted.

    Args:
        split: What the evaluation document says of the splits: `split_integrity.SplitIntegrity`.
    """
    return sum(split[count] or 0 for count in _SPLIT_COUNTS)


def _many_near_duplicates(case: Case) -> Decision | None:
    split = case.evaluation["split"]
    duplicates, rows = split.get("near_twins"), split.get("surveyed")
    if not is_size(duplicates) or not is_size(rows):
        unsaid = "the evaluation does not say how many rows are near duplicates of another row"
        return rejected(unsaid, "near_twins")
    if duplicates <= MAX_NEAR_DUPLICATE_SHARE * rows:
        return None
    return rejected(
        f"{duplicates:,} of {rows:,} surveyed rows are within one instrument step of another row, "
        "as if a survey was sent twice under another name",
        "near_twins",
    )


def _trained_on_other_rows(case: Case) -> Decision | None:
    if case.evaluation.get("trained_on_train_split") is True:
        return None
    unshown = "the training split is not shown to be what the model was trained on"
    return rejected(f"{unshown}; train it again", "trained_on_other_rows")


def _too_few_rows(case: Case) -> Decision | None:
    rows, least = case.evaluation.get("rows"), case.limits.min_rows
    if is_size(rows) and rows >= least:
        return None
    few = f"the test split has {rows} surveyed rows, and {least} are needed to judge a model"
    return rejected(few, "too_few_rows")


def _above_max_rmse(case: Case) -> Decision | None:
    score, most = case.evaluation["rmse"], case.limits.max_rmse
    if score <= most:
        return None
    return rejected(f"RMSE {score:.3f} is above the limit of {most:g}", "above_max_rmse")


def _champion_told(case: Case) -> None:
    """It must be known whether there is a champion."""
    case.other("champion")


def _first_model_unlike_its_folds(case: Case) -> Decision | None:
    """Without a champion, a model must not be far from what its recipe does out of fold."""
    out_of_fold, confidence = case.evaluation.get("out_of_fold"), case.evaluation.get("confidence")
    if case.other("champion") is not None or out_of_fold is None:
        return None
    wanted = out_of_fold.get("rmse") if isinstance(out_of_fold, Mapping) else None
    interval = confidence.get("rmse") if isinstance(confidence, Mapping) else None
    low = interval[0] if isinstance(interval, list | tuple) and interval else None
    if not is_size(wanted) or not is_size(low):
        raise UnusableEvidenceError(
            "the evaluation does not say how sure the RMSE is, on the test split or out of fold; "
            "evaluate the model again"
        )
    if low <= wanted * (1 + case.limits.slice_tolerance):
        return None
    return rejected(
        f"on the test split the RMSE is {case.evaluation['rmse']:.3f}, at least {low:.3f}, and out "
        f"of fold it was {wanted:.3f}: the final fit went wrong; train it again",
        "final_fit_unlike_its_folds",
    )


def _first_model(case: Case) -> Decision | None:
    if case.other("champion") is not None:
        return None
    return approved(f"{case.within_limit}, and there is no champion yet", "first_model")


def _unchanged(case: Case) -> Decision | None:
    """The champion itself."""
    digest, champion = case.evaluation.get("model_sha256"), case.other("champion") or {}
    if not digest or digest != champion.get("model_sha256"):
        return None
    return approved(
        f"{case.within_limit}, and the model is {case.champion}, unchanged", "unchanged"
    )


def _comparisons_usable(case: Case) -> None:
    """All of them, before any of them decides."""
    _ = case.overall, case.tested, case.slices


def _not_as_good_as_champion(case: Case) -> Decision | None:
    found = f"{case.unseen}, RMSE {case.overall.rmse:.3f} is {case.overall}"
    return short_of(case.overall, found, "worse_than_champion", "not_shown_as_good")


def _worse_on_test_split(case: Case) -> Decision | None:
    """A ruined final fit must not hide behind good folds."""
    tested = case.tested
    if not tested.clearly_worse:
        return None
    return rejected(
        f"on the {tested.rows:,} test rows, the only ones that it answers itself, RMSE "
        f"{tested.rmse:.3f} is {tested}",
        "worse_on_test_split",
    )


def _worse_in_slice(case: Case) -> Decision | None:
    worse = [each for each in case.slices if _is_worse(each, case.limits)]
    if not worse:
        return None
    worst = max(worse, key=lambda each: each.difference - each.margin)
    return rejected(
        f"for {worst.where}, RMSE {worst.rmse:.3f} on {worst.rows:,} rows is {worst}",
        "worse_in_slice",
    )


def _is_worse(part: Compared, limits: GateLimits) -> bool:
    """Whether a slice is clearly worse; one of few rows only when its whole interval is."""
    if part.rows >= limits.min_slice_rows:
        return part.clearly_worse
    return part.rows >= _EVIDENT_ROWS and part.low > part.margin


def _as_good_as_champion(case: Case) -> Decision:
    better = case.overall.high < 0
    return approved(
        f"{case.within_limit}, and {case.unseen} it is {case.overall}{case.unjudged}",
        "better_than_champion" if better else "holds_against_champion",
    )


RULES: Final[tuple[Callable[[Case], Decision | None], ...]] = (
    _without_a_score,
    _test_split_touched,
    _many_near_duplicates,
    _trained_on_other_rows,
    _too_few_rows,
    _above_max_rmse,
    _champion_told,
    reference.told,
    _first_model_unlike_its_folds,
    _first_model,
    _unchanged,
    _comparisons_usable,
    _not_as_good_as_champion,
    _worse_on_test_split,
    reference.not_as_good,
    _worse_in_slice,
    reference.as_good,
    _as_good_as_champion,
)
"""In the order in which they are asked; the last one always decides."""
