"""The gate: whether an evaluated model may replace the champion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard

from abalone_assets.errors import AbaloneError

_MINUS: Final = "\N{MINUS SIGN}"
_SPLIT_COUNTS: Final = {
    "misplaced": "are in it against their hash",
    "leaked": "of it, or of its hash, are in train or validation",
    "missing": "are missing from it",
}
_SLICES: Final = {"sex": "sex", "age_band": "the animals of"}
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
        slice_tolerance: The same for one sex or one age band, whose RMSE is less certain.
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
        if not all(_usable(limit) for limit in vars(self).values()) or not self.max_rmse:
            raise GateError(f"the gate's limits must be finite and not below 0: {self}")


@dataclass(frozen=True)
class Decision:
    """What the gate decided, and why.

    Attributes:
        approved: Whether the model may answer requests.
        reason: One sentence with the numbers.
        rule: The rule that decided. Against the model: ``unusable_rmse``, ``test_split_touched``,
            ``too_few_rows``, ``above_max_rmse``, ``worse_than_champion``, ``not_shown_as_good``,
            ``worse_than_reference``, ``not_shown_as_good_as_reference``, ``worse_in_slice``. In its
            favour: ``first_model``, ``unchanged``, ``better_than_champion`` (and than the
            reference), ``holds_against_reference`` (better than the champion alone),
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
    200 rows would decide by chance. No sex and no age band may be clearly worse either. A number
    that is missing or not finite never approves.

    A champion may be a little worse than the one before, so that a chain of such tests alone would
    wear the model down: biocreep, in clinical trials (D'Agostino, Massaro and Sullivan,
    *Non-inferiority trials*, Statistics in Medicine 22, 2003). Hence the same test against the
    reference where that is another version: the last that was approved as more than just as good.
    Only a model that is shown to be better than both becomes the next reference.

    Args:
        evaluation: The evaluation document; see `evaluate.evaluate_model`.
        limits: What is asked for.
    """
    if refusal := _refusal(evaluation, limits):
        return refusal
    within = f"RMSE {evaluation['rmse']:.3f} is within the limit of {limits.max_rmse:g}"
    champion = evaluation.get("champion")
    if champion is None:
        return _approved(f"{within}, and there is no champion yet", "first_model")
    name = f"champion version {champion.get('version')}"
    digest = evaluation.get("model_sha256")
    if digest and digest == champion.get("model_sha256"):
        return _approved(f"{within}, and the model is {name}, unchanged", "unchanged")
    return _against(name, champion.get("paired"), evaluation.get("reference"), within, limits)


def _refusal(evaluation: Mapping[str, Any], limits: GateLimits) -> Decision | None:
    """The rejection of a model whose own numbers do not do, whoever the champion is."""
    score, rows = evaluation.get("rmse"), evaluation.get("rows")
    if not _usable(score):
        return _rejected(f"the evaluation's RMSE is {score}", "unusable_rmse")
    if touched := _touched(evaluation.get("split")):
        return _rejected(touched, "test_split_touched")
    if not _usable(rows) or rows < limits.min_rows:
        needed = f"and {limits.min_rows} are needed to judge a model"
        return _rejected(f"the test split has {rows} surveyed rows, {needed}", "too_few_rows")
    if score > limits.max_rmse:
        told = f"RMSE {score:.3f} is above the limit of {limits.max_rmse:g}"
        return _rejected(told, "above_max_rmse")
    return None


def _touched(split: object) -> str | None:
    """What was done to the test split, or None when its rows are those of their hash."""
    if not isinstance(split, Mapping):
        return "the evaluation does not say whether the test split is as its hash makes it"
    for count, what in _SPLIT_COUNTS.items():
        rows = split.get(count)
        if not _usable(rows):
            return f"the evaluation does not say how many rows of the test split {what}"
        if rows:
            return f"the test split was touched: {rows:,} rows {what}; prepare the data again"
    return None


@dataclass(frozen=True)
class _Paired:
    """The model beside the champion, or the reference, on the same rows: `paired.Comparison`."""

    where: str
    champion: str
    rows: int
    rmse: float
    champion_rmse: float
    difference: float
    low: float
    high: float
    margin: float
    about_it: str = ""

    def __str__(self) -> str:
        side = "below" if self.difference < 0 else "above"
        return (
            f"{abs(self.difference):.3f} {side} {self.champion}'s {self.champion_rmse:.3f}"
            f"{self.about_it} (90 % interval {_signed(self.low)} to {_signed(self.high)}, at most "
            f"{_signed(self.margin)} allowed)"
        )

    def refusal(self, told: str, worse: str, not_shown: str) -> Decision | None:
        """The rejection of a model that is not shown to be as good, by one of two rules."""
        if self.high <= self.margin:
            return None
        if self.low > 0:
            return _rejected(told, worse)
        return _rejected(f"too little evidence: {told}", not_shown)


def _against(
    champion: str, paired: object, reference: object, within: str, limits: GateLimits
) -> Decision:
    known = paired if isinstance(paired, Mapping) else {}
    overall = _paired(known.get("overall"), "all rows", champion, limits.champion_tolerance)
    slices = _slices(known.get("slices"), champion, limits)
    if overall is None or slices is None:
        return _rejected(
            f"the evaluation has no usable comparison with {champion}; evaluate it again",
            "not_shown_as_good",
        )
    unseen = f"on {overall.rows:,} rows that neither model had learnt from"
    told = f"{unseen}, RMSE {overall.rmse:.3f} is {overall}"
    if refusal := overall.refusal(told, "worse_than_champion", "not_shown_as_good"):
        return refusal
    marked = _beside_reference(reference, limits)
    if reference is not None and (refusal := _short_of(marked, champion)):
        return refusal
    worse = [each for each in slices if each.difference > each.margin and each.low > 0]
    if worse:
        worst = max(worse, key=lambda each: each.difference - each.margin)
        return _rejected(
            f"for {worst.where}, RMSE {worst.rmse:.3f} on {worst.rows:,} rows is {worst}",
            "worse_in_slice",
        )
    return _shown(overall, marked, f"{within}, and {unseen} it is {overall}")


def _beside_reference(reference: object, limits: GateLimits) -> _Paired | None:
    """The model beside the reference; None when there is none, or nothing usable is said of it."""
    if not isinstance(reference, Mapping):
        return None
    paired, name = reference.get("paired"), f"version {reference.get('version')}"
    overall = paired.get("overall") if isinstance(paired, Mapping) else None
    found = _paired(overall, "all rows", name, limits.champion_tolerance)
    return None if found is None else replace(found, about_it=_THE_REFERENCE)


def _short_of(marked: _Paired | None, champion: str) -> Decision | None:
    """The rejection of a model that holds against the champion, but not against the reference."""
    if marked is None:
        return _rejected(
            "the evaluation has no usable comparison with the reference; evaluate it again",
            "not_shown_as_good_as_reference",
        )
    return marked.refusal(
        f"it holds against {champion}, but on {marked.rows:,} rows that neither model had learnt"
        f" from, RMSE {marked.rmse:.3f} is {marked}",
        "worse_than_reference",
        "not_shown_as_good_as_reference",
    )


def _shown(overall: _Paired, marked: _Paired | None, told: str) -> Decision:
    """The approval by what was shown; to be the next reference, a model must beat the last one."""
    if marked is not None:
        told = f"{told}, and on {marked.rows:,} rows {marked}"
    if overall.high >= 0:
        return _approved(told, "holds_against_champion")
    better = marked is None or marked.high < 0
    return _approved(told, "better_than_champion" if better else "holds_against_reference")


def _slices(groups: object, champion: str, limits: GateLimits) -> list[_Paired] | None:
    """The slices with enough rows; None when what is said of one of them is not usable."""
    if not isinstance(groups, Mapping):
        return None
    judged: list[_Paired] = []
    for group, label in _SLICES.items():
        for found in groups.get(group, ()):
            rows = found.get("rows")
            if _usable(rows) and rows < limits.min_slice_rows:
                continue
            where = f"{label} {found.get('value')}"
            paired = _paired(found, where, champion, limits.slice_tolerance)
            if paired is None:
                return None
            judged.append(paired)
    return judged


def _paired(found: object, where: str, champion: str, tolerance: float) -> _Paired | None:
    if not isinstance(found, Mapping):
        return None
    sizes = {name: found.get(name) for name in ("rmse", "champion_rmse", "rows")}
    signed = {name: found.get(name) for name in ("difference", "low", "high")}
    if not all(map(_usable, sizes.values())) or not all(map(_finite, signed.values())):
        return None
    numbers: dict[str, Any] = {**sizes, **signed}
    return _Paired(where, champion, margin=tolerance * numbers["champion_rmse"], **numbers)


def _approved(why: str, rule: str) -> Decision:
    return Decision(approved=True, reason=f"Approved: {why}.", rule=rule)


def _rejected(why: str, rule: str) -> Decision:
    return Decision(approved=False, reason=f"Rejected: {why}.", rule=rule)


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else _MINUS}{abs(value):.3f}"


def _finite(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _usable(value: object) -> TypeGuard[float]:
    return _finite(value) and value >= 0
