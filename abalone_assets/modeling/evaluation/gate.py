"""The gate: whether an evaluated model may replace the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from abalone_assets.errors import AbaloneError
from abalone_assets.modeling.evaluation.evidence import (
    Compared,
    UnusableEvidenceError,
    compared,
    compared_slices,
    comparisons_with,
    is_size,
    other_model,
)

_SPLIT_COUNTS: Final = {
    "misplaced": "are in it against their hash",
    "leaked": "of it, or of its hash, are in what the model learnt",
    "missing": "are missing from it",
    "foreign": "are in it beyond those of merged_dataset",
}
MAX_TWIN_SHARE: Final = 0.05
"""Largest share of surveyed rows that may have a near twin: see `near_duplicates.near_duplicates`.

Of the 4,177 animals of UCI's survey 2 have one (0.05 %). The share grows as the number of rows
does, so that some 400,000 animals would reach the limit by nature. With every animal sent twice the
out-of-fold RMSE fell from 2.05 to 1.92; at the limit that is, in proportion, less than 0.01 rings.
"""

_EVIDENT_ROWS: Final = 10
"""Below it the ends of a bootstrap interval say nothing."""

_THE_REFERENCE: Final = ", the last version approved as more than just as good as its champion"

REFERENCE_RULES: Final = frozenset({"first_model", "better_than_champion"})
"""A version that was approved by one of them may be the reference of later models."""


class GateError(AbaloneError):
    """The gate's own limits make no sense."""


@dataclass(frozen=True)
class GateLimits:
    """What the gate asks for; the one place that says the defaults.

    Attributes:
        max_rmse: In rings, on the test split; predicting the mean scores about 3.2.
        champion_tolerance: How much worse than the champion still counts as equal, as a share of
            its RMSE: the non-inferiority margin.
        slice_tolerance: The same for one sex, one age band or the test rows alone, whose RMSE is
            less certain.
        min_rows: Fewest test rows that can approve a model.
        min_slice_rows: Fewest rows by which a slice is judged.

    Raises:
        GateError: One of them is negative or not finite, or `max_rmse` is 0.
    """

    max_rmse: float = 2.5
    champion_tolerance: float = 0.02
    slice_tolerance: float = 0.1
    min_rows: int = 100
    min_slice_rows: int = 30

    def __post_init__(self) -> None:
        if not all(is_size(limit) for limit in vars(self).values()) or not self.max_rmse:
            raise GateError(f"the gate's limits must be finite and not below 0: {self}")


@dataclass(frozen=True)
class Decision:
    """What the gate decided, and why.

    Attributes:
        approved: Whether the model may answer requests.
        reason: One sentence with the numbers.
        rule: The rule that decided. Against the model: ``unusable_rmse``, ``unusable_evidence``,
            ``test_split_touched``, ``near_twins``, ``trained_on_other_rows``, ``too_few_rows``,
            ``above_max_rmse``, ``final_fit_unlike_its_folds``, ``worse_than_champion``,
            ``not_shown_as_good``, ``worse_on_test_split``, ``worse_than_reference``,
            ``not_shown_as_good_as_reference``, ``worse_in_slice``. In its favour: ``first_model``,
            ``unchanged``, ``better_than_champion`` (and than the reference),
            ``holds_against_reference`` (better than the champion alone),
            ``holds_against_champion``.
    """

    approved: bool
    reason: str
    rule: str


def decide(evaluation: Mapping[str, Any], limits: GateLimits) -> Decision:
    """Approve a model that is good enough and not shown to be worse than the champion.

    Against the champion it is a test of non-inferiority on paired rows: the upper end of the
    90 % interval of the difference of both RMSEs must lie within the margin (ICH E9, *Statistical
    Principles for Clinical Trials*, 1998, section 3.3.2). Point estimates on a test split of some
    200 rows would decide by chance. No sex and no age band may be clearly worse either.

    Most of those rows are predicted out of fold, by models of the same recipe. Only the test rows
    are predicted by the model that would answer requests, so it may not be clearly worse there; a
    first model may not be clearly worse there than out of fold.

    A champion may be a little worse than the one before, so that a chain of such tests alone would
    wear the model down: biocreep, in clinical trials (D'Agostino, Massaro and Sullivan,
    *Non-inferiority trials*, Statistics in Medicine 22, 2003). Hence the same test against the
    reference where that is another version: the last that was approved as more than just as good.
    Only a model that is shown to be better than both becomes the next reference.

    Evidence that is missing, or that contradicts itself, never approves and never raises.

    Args:
        evaluation: The evaluation document; see `evaluate.evaluate_model`.
        limits: What is asked for.
    """
    try:
        return _refusal(evaluation, limits) or _beside_others(evaluation, limits)
    except UnusableEvidenceError as error:
        return _rejected(str(error), "unusable_evidence")


def _refusal(evaluation: Mapping[str, Any], limits: GateLimits) -> Decision | None:
    """The rejection of a model whose own numbers do not do, whoever the champion is."""
    score, rows = evaluation.get("rmse"), evaluation.get("rows")
    if not is_size(score):
        return _rejected(f"the evaluation's RMSE is {score}", "unusable_rmse")
    if refusal := _refusal_of_splits(evaluation):
        return refusal
    if not is_size(rows) or rows < limits.min_rows:
        needed = f"and {limits.min_rows} are needed to judge a model"
        return _rejected(f"the test split has {rows} surveyed rows, {needed}", "too_few_rows")
    if score > limits.max_rmse:
        told = f"RMSE {score:.3f} is above the limit of {limits.max_rmse:g}"
        return _rejected(told, "above_max_rmse")
    return None


def _refusal_of_splits(evaluation: Mapping[str, Any]) -> Decision | None:
    """The rejection of a model whose splits prove nothing of it."""
    if touched := _touched(evaluation.get("split")):
        return _rejected(touched, "test_split_touched")
    if twins := _twins(evaluation["split"]):
        return _rejected(twins, "near_twins")
    if evaluation.get("trained_on_train_split") is not True:
        told = "the training split is not shown to be what the model was trained on"
        return _rejected(f"{told}; train it again", "trained_on_other_rows")
    return None


def _touched(split: object) -> str | None:
    """What was done to the test split, or None when its rows are those of their hash."""
    if not isinstance(split, Mapping):
        return "the evaluation does not say whether the test split is as its hash makes it"
    for count, what in _SPLIT_COUNTS.items():
        rows = split.get(count)
        if not is_size(rows):
            return f"the evaluation does not say how many rows of the test split {what}"
        if rows:
            return f"the test split was touched: {rows:,} rows {what}; prepare the data again"
    return None


def rows_out_of_place(split: Mapping[str, Any]) -> int:
    """Rows that are where their hash does not put them, as far as they were counted.

    Args:
        split: What the evaluation document says of the splits: `split_integrity.SplitIntegrity`.
    """
    return sum(split[count] or 0 for count in _SPLIT_COUNTS)


def _twins(split: Mapping[str, Any]) -> str | None:
    """What is wrong with the rows that nearly equal another one, or None."""
    twins, rows = split.get("near_twins"), split.get("surveyed")
    if not is_size(twins) or not is_size(rows):
        return "the evaluation does not say how many rows are near twins of another row"
    if twins <= MAX_TWIN_SHARE * rows:
        return None
    return (
        f"{twins:,} of {rows:,} surveyed rows are within one instrument step of another row, as "
        "if a survey was sent twice under another name"
    )


def _beside_others(evaluation: Mapping[str, Any], limits: GateLimits) -> Decision:
    within = f"RMSE {evaluation['rmse']:.3f} is within the limit of {limits.max_rmse:g}"
    champion, reference = (other_model(evaluation, role) for role in ("champion", "reference"))
    if champion is None:
        return _unlike_its_folds(evaluation, limits) or _approved(
            f"{within}, and there is no champion yet", "first_model"
        )
    digest = evaluation.get("model_sha256")
    if digest and digest == champion.get("model_sha256"):
        return _approved(f"{within}, and the model is {_named(champion)}, unchanged", "unchanged")
    return _against(champion, reference, within, limits)


def _unlike_its_folds(evaluation: Mapping[str, Any], limits: GateLimits) -> Decision | None:
    """The rejection of a model that is far from what its recipe does out of fold."""
    out_of_fold, confidence = evaluation.get("out_of_fold"), evaluation.get("confidence")
    if out_of_fold is None:
        return None
    wanted = out_of_fold.get("rmse") if isinstance(out_of_fold, Mapping) else None
    interval = confidence.get("rmse") if isinstance(confidence, Mapping) else None
    low = interval[0] if isinstance(interval, list | tuple) and interval else None
    if not is_size(wanted) or not is_size(low):
        raise UnusableEvidenceError(
            "the evaluation does not say how sure the RMSE is, on the test split or out of fold; "
            "evaluate the model again"
        )
    if low <= wanted * (1 + limits.slice_tolerance):
        return None
    return _rejected(
        f"on the test split the RMSE is {evaluation['rmse']:.3f}, at least {low:.3f}, and out of "
        f"fold it was {wanted:.3f}: the final fit went wrong; train it again",
        "final_fit_unlike_its_folds",
    )


def _against(
    champion: Mapping[str, Any],
    reference: Mapping[str, Any] | None,
    within: str,
    limits: GateLimits,
) -> Decision:
    paired, name = comparisons_with(champion), _named(champion)
    overall = _overall(champion, name, limits)
    tested = compared(paired.get("test"), "the test rows", name, limits.slice_tolerance)
    slices = compared_slices(paired.get("slices"), name, limits.slice_tolerance)
    unseen = f"on {overall.rows:,} rows that neither model had learnt from{_why_few(champion)}"
    told = f"{unseen}, RMSE {overall.rmse:.3f} is {overall}"
    if refusal := _short_of(overall, told, "worse_than_champion", "not_shown_as_good"):
        return refusal
    if tested.clearly_worse:
        told = f"on the {tested.rows:,} test rows, the only ones that it answers itself, RMSE"
        return _rejected(f"{told} {tested.rmse:.3f} is {tested}", "worse_on_test_split")
    marked = None if reference is None else _beside_reference(reference, limits)
    if marked and (refusal := _short_of_reference(marked, name)):
        return refusal
    if worse := [each for each in slices if _is_worse(each, limits)]:
        worst = max(worse, key=lambda each: each.difference - each.margin)
        return _rejected(
            f"for {worst.where}, RMSE {worst.rmse:.3f} on {worst.rows:,} rows is {worst}",
            "worse_in_slice",
        )
    told = f"{within}, and {unseen} it is {overall}"
    return _shown(overall, marked, told, _unjudged(slices, limits))


def _named(champion: Mapping[str, Any]) -> str:
    return f"champion version {champion.get('version')}"


def _overall(other: Mapping[str, Any], name: str, limits: GateLimits) -> Compared:
    found = comparisons_with(other).get("overall")
    overall = compared(found, "all rows", name, limits.champion_tolerance)
    if overall.rows < limits.min_rows:
        raise UnusableEvidenceError(
            f"the comparison with {name} is of {overall.rows:,} rows, and {limits.min_rows} are "
            "needed; evaluate the model again"
        )
    return overall


def _beside_reference(reference: Mapping[str, Any], limits: GateLimits) -> Compared:
    name = f"version {reference.get('version')}"
    return replace(_overall(reference, name, limits), about_it=_THE_REFERENCE)


def _why_few(other: Mapping[str, Any]) -> str:
    why = other.get("test_rows_alone")
    return f" (the test rows alone: {why})" if isinstance(why, str) else ""


def _short_of(overall: Compared, told: str, worse: str, not_shown: str) -> Decision | None:
    """The rejection of a model that is not shown to be as good, by one of two rules."""
    if overall.high <= overall.margin:
        return None
    if overall.low > 0:
        return _rejected(told, worse)
    return _rejected(f"too little evidence: {told}", not_shown)


def _short_of_reference(marked: Compared, champion: str) -> Decision | None:
    """The rejection of a model that holds against the champion, but not against the reference."""
    return _short_of(
        marked,
        f"it holds against {champion}, but on {marked.rows:,} rows that neither model had learnt"
        f" from, RMSE {marked.rmse:.3f} is {marked}",
        "worse_than_reference",
        "not_shown_as_good_as_reference",
    )


def _is_worse(part: Compared, limits: GateLimits) -> bool:
    """Whether a slice is clearly worse; one of few rows only when its whole interval is."""
    if part.rows >= limits.min_slice_rows:
        return part.clearly_worse
    return part.rows >= _EVIDENT_ROWS and part.low > part.margin


def _unjudged(slices: list[Compared], limits: GateLimits) -> str:
    few = [f"{each.where} ({each.rows})" for each in slices if each.rows < limits.min_slice_rows]
    return f"; too few rows to judge {', '.join(few)}" if few else ""


def _shown(overall: Compared, marked: Compared | None, told: str, unjudged: str) -> Decision:
    """The approval by what was shown; to be the next reference, a model must beat the last one."""
    if marked is not None:
        told = f"{told}, and on {marked.rows:,} rows {marked}"
    told += unjudged
    if overall.high >= 0:
        return _approved(told, "holds_against_champion")
    better = marked is None or marked.high < 0
    return _approved(told, "better_than_champion" if better else "holds_against_reference")


def _approved(why: str, rule: str) -> Decision:
    return Decision(approved=True, reason=f"Approved: {why}.", rule=rule)


def _rejected(why: str, rule: str) -> Decision:
    return Decision(approved=False, reason=f"Rejected: {why}.", rule=rule)
