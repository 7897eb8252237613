"""The gate: whether an evaluated model may replace the champion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import AbaloneError
from abalone_assets.modeling.evaluation.beside_champion import beside_champion, champion_name
from abalone_assets.modeling.evaluation.evidence import (
    RejectedError,
    is_size,
    other_model,
    require,
)

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.gate_rules import Approving, Rejecting, Rule

MAX_NEAR_DUPLICATE_SHARE: Final = 0.05
"""Largest share of surveyed rows with a near duplicate beyond what chance gives; `near_duplicates`.

With every animal of UCI's survey sent twice the out-of-fold RMSE fell from 2.05 to 1.92; at this
limit that is, in proportion, less than 0.01 rings.
"""

NEAR_DUPLICATES_PER_ROW: Final = 2 * 5.57 / 4177**2
"""Near duplicates that an animal has by chance for each other animal there is, at most.

Of the 4,177 animals of UCI's survey two are within one step of each other: one pair. The upper end
of the exact 95 % interval of a Poisson mean of which 1 was seen is 5.57 (Garwood, *Fiducial limits
for the Poisson distribution*, Biometrika 28, 1936), and a pair is two animals' duplicate.
"""

_SPLIT_COUNTS: Final = {
    "misplaced": "are in it against their hash",
    "leaked": "of it, or of its hash, are in what the model learnt",
    "missing": "are missing from it",
    "foreign": "are in it beyond those of merged_dataset",
}


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
        rule: The rule that decided; see `gate_rules`.
    """

    approved: bool
    reason: str
    rule: Rule


def decide(evaluation: Mapping[str, Any], limits: GateLimits) -> Decision:
    """Approve a model that is good enough and not shown to be worse than the champion.

    Against the champion it is a test of non-inferiority on paired rows: the upper end of the
    90 % interval of the difference of both RMSEs must lie within the margin (ICH E9, *Statistical
    Principles for Clinical Trials*, 1998, section 3.3.2). Point estimates on a test split of some
    200 rows would decide by chance. No sex and no age band may be clearly worse either.

    Most of those rows are predicted out of fold, by models of the same recipe. Only the test rows
    are predicted by the model that would answer requests, so it may not be clearly worse there; a
    first model may not be clearly worse there than out of fold.

    All of it must hold on the rows of survey files that the champion knew as well: rows that only
    the model learnt, right or wrong, show no gain over the champion. Where it knew too few rows to
    judge, all rows decide, and no gain counts. See `known_files`.

    Slow decline, one small loss at a time, is guarded against in `reference`.

    Evidence that is missing, or that contradicts itself, never approves and never raises.

    Args:
        evaluation: The evaluation document; see `evaluate.evaluate_model`.
        limits: What is asked for.
    """
    try:
        _check_alone(evaluation, limits)
        rule, why = _approval(evaluation, limits)
    except RejectedError as error:
        return Decision(approved=False, reason=f"Rejected: {error}.", rule=error.rule)
    within = f"{_on_test_rows(evaluation)} is within the limit of {limits.max_rmse:g}"
    return Decision(approved=True, reason=f"Approved: {within}, and {why}.", rule=rule)


def rows_out_of_place(split: Mapping[str, Any]) -> int:
    """Rows that are where their hash does not put them, as far as they were counted.

    Args:
        split: What the evaluation document says of the splits: `split_integrity.SplitIntegrity`.
    """
    return sum(split[count] or 0 for count in _SPLIT_COUNTS)


def max_near_duplicate_share(rows: float) -> float:
    """The share of surveyed rows that may have a near duplicate; from 4.7 million on every row may.

    The more animals there are, the more are alike by chance: an animal has a duplicate with
    probability ``1 - exp(-c * rows)`` where these fall like a Poisson process. Where animals are
    more alike at one size than at another it is less, as the exponential is convex. The limit is
    that, with the largest ``c`` that UCI's survey allows, and `MAX_NEAR_DUPLICATE_SHARE` more.

    That costs power. With the one pair that UCI has as the truth, surveys that were sent twice are
    found once they and their copies are this share of all rows: 5 % of 4,177 rows, 10 % of 100,000,
    28 % of 500,000, 46 % of a million, 71 % of 2 million; from 4.7 million rows on never.

    Args:
        rows: Number of surveyed rows.
    """
    by_chance = 1 - math.exp(-NEAR_DUPLICATES_PER_ROW * rows)
    return min(1.0, MAX_NEAR_DUPLICATE_SHARE + by_chance)


def _on_test_rows(evaluation: Mapping[str, Any]) -> str:
    """The RMSE and which rows it is of: another one in the sentence is of other rows."""
    return f"RMSE {evaluation['rmse']:.3f} on the {evaluation['rows']:,} test rows"


def _check_alone(evaluation: Mapping[str, Any], limits: GateLimits) -> None:
    """What is asked of every model, whatever it would replace."""
    score: Any = evaluation.get("rmse")
    require(is_size(score), f"the evaluation's RMSE is {score}", "unusable_rmse")
    _check_split(evaluation.get("split"))
    require(
        evaluation.get("trained_on_train_split") is True,
        "the training split is not shown to be what the model was trained on; train it again",
        "trained_on_other_rows",
    )
    rows, least = evaluation.get("rows"), limits.min_rows
    few = f"the test split has {rows} surveyed rows, and {least} are needed to judge a model"
    require(is_size(rows) and rows >= least, few, "too_few_rows")
    above = f"{_on_test_rows(evaluation)} is above the limit of {limits.max_rmse:g}"
    require(score <= limits.max_rmse, above, "above_max_rmse")


def _check_split(split: Any) -> None:  # noqa: ANN401 - JSON that may lack anything
    """The test split's rows must be those of their hash, and few be there twice but by chance."""
    rule: Rejecting = "test_split_touched"
    unsaid = "the evaluation does not say"
    known = isinstance(split, Mapping)
    require(known, f"{unsaid} whether the test split is as its hash makes it", rule)
    for count, what in _SPLIT_COUNTS.items():
        rows = split.get(count)
        require(is_size(rows), f"{unsaid} how many rows of the test split {what}", rule)
        touched = f"the test split was touched: {rows:,} rows {what}; prepare the data again"
        require(not rows, touched, rule)
    duplicates, surveyed = split.get("near_twins"), split.get("surveyed")
    require(
        is_size(duplicates) and is_size(surveyed),
        f"{unsaid} how many rows are near duplicates of another row",
        "near_twins",
    )
    allowed = int(max_near_duplicate_share(surveyed) * surveyed)
    require(
        duplicates <= allowed,
        f"{duplicates:,} of {surveyed:,} surveyed rows are within one instrument step of another "
        f"row (at most {allowed:,} allowed), as if a survey was sent twice under another name",
        "near_twins",
    )


def _approval(evaluation: Mapping[str, Any], limits: GateLimits) -> tuple[Approving, str]:
    """By which rule a model that is good enough by itself is approved, and why."""
    champion, reference = (other_model(evaluation, role) for role in ("champion", "reference"))
    if champion is None:
        _check_final_fit(evaluation, limits)
        return "first_model", "no approved version is live to hold it against"
    digest = evaluation.get("model_sha256")
    if digest and digest == champion.get("model_sha256"):
        return "unchanged", f"the model is {champion_name(champion)}, unchanged"
    held = beside_champion(
        champion,
        reference,
        tolerance=limits.champion_tolerance,
        slice_tolerance=limits.slice_tolerance,
        min_rows=limits.min_rows,
        min_slice_rows=limits.min_slice_rows,
    )
    return held.rule, str(held)


def _check_final_fit(evaluation: Mapping[str, Any], limits: GateLimits) -> None:
    """Without a champion, a model must not be far from what its recipe does out of fold."""
    out_of_fold, confidence = evaluation.get("out_of_fold"), evaluation.get("confidence")
    if out_of_fold is None:
        return
    wanted = out_of_fold.get("rmse") if isinstance(out_of_fold, Mapping) else None
    interval = confidence.get("rmse") if isinstance(confidence, Mapping) else None
    low = interval[0] if isinstance(interval, list | tuple) and interval else None
    if not is_size(wanted) or not is_size(low):
        raise RejectedError(
            "the evaluation does not say how sure the RMSE is, on the test split or out of fold; "
            "evaluate the model again"
        )
    require(
        low <= wanted * (1 + limits.slice_tolerance),
        f"on the test split the RMSE is {evaluation['rmse']:.3f}, at least {low:.3f}, and out of "
        f"fold it was {wanted:.3f}: the final fit went wrong; train it again",
        "final_fit_unlike_its_folds",
    )
