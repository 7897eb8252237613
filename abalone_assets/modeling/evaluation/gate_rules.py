"""The rules by which the gate decides: their names in records, and when each of them does.

Records of older releases may hold none, or one that is no more: `rule_of` reads any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeGuard, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Rejecting = Literal[
    "unusable_rmse",
    "test_split_touched",
    "near_twins",
    "trained_on_other_rows",
    "too_few_rows",
    "above_max_rmse",
    "final_fit_unlike_its_folds",
    "unusable_evidence",
    "worse_than_champion",
    "not_shown_as_good",
    "worse_on_test_split",
    "worse_on_known_files",
    "gain_only_on_new_files",
    "not_shown_on_known_files",
    "worse_than_reference",
    "not_shown_as_good_as_reference",
    "worse_in_slice",
    "champion_changed",
]
"""Rules against a model, in the order in which they are asked."""

Approving = Literal[
    "first_model",
    "unchanged",
    "better_than_champion",
    "holds_against_reference",
    "holds_against_champion",
]
"""Rules in its favour."""

Rule = Literal[Rejecting, Approving]

RULES: Final[Mapping[Rule, str]] = {
    "unusable_rmse": "its RMSE is no finite number, or below 0",
    "test_split_touched": "rows of the test split are not where their hash puts them, or nobody "
    "counted",
    "near_twins": "more surveyed rows than chance explains are within one instrument step of "
    "another, or nobody counted",
    "trained_on_other_rows": "the training split is not shown to be what it was trained on",
    "too_few_rows": "the test split has too few surveyed rows to judge by",
    "above_max_rmse": "its RMSE on the test rows is above the limit",
    "final_fit_unlike_its_folds": "no approved version is live to hold it against, and it is "
    "clearly worse on the test rows than out of fold",
    "unusable_evidence": "what a rule needs is missing, of too few rows, or contradicts itself; "
    "wherever that is seen",
    "worse_than_champion": "it is surely worse than the champion on all rows that neither had "
    "learnt, and perhaps by more than the margin",
    "not_shown_as_good": "it may be as good there, or worse by more than the margin",
    "worse_on_test_split": "it is clearly worse on the test rows, the only ones that it answers "
    "itself, or on those of them that are of files that the champion knew",
    "worse_on_known_files": "it holds on all rows, and is surely worse on those of files that the "
    "champion knew; where these are too few, by more than the margin",
    "gain_only_on_new_files": "it is better on all rows, but not shown to be as good on those of "
    "files that the champion knew",
    "not_shown_on_known_files": "it holds on all rows, but is not shown to on those of files that "
    "the champion knew",
    "worse_than_reference": "it holds against the champion, and is surely worse than the "
    "reference, on all rows or on those of files that this knew",
    "not_shown_as_good_as_reference": "it holds against the champion, but is not shown to against "
    "the reference, likewise",
    "worse_in_slice": "it is clearly worse than the champion for one sex or one age band, on all "
    "rows or on those of files that the champion knew",
    "champion_changed": "a person made another version the one to be live while it was evaluated",
    "first_model": "no approved version is live to hold it against: there was none yet, a person "
    "rejected it, or its record is lost",
    "unchanged": "it is the champion",
    "better_than_champion": "it is better than the champion, and than the reference if there is "
    "another, each on all rows and on those of files that it knew; a reference that knew too few "
    "of today's rows is not asked",
    "holds_against_reference": "it is better than the champion alone, and holds against the "
    "reference",
    "holds_against_champion": "it holds against the champion, and against the reference if there "
    "is another; no gain over the champion is shown on rows of files that this knew",
}
"""When a rule decides, said of the model; in the order of `Rule`."""


def is_approving(rule: Rule) -> bool:
    """Whether the rule speaks in favour of a model."""
    return rule in get_args(Approving)


def rule_of(decision: Mapping[str, object]) -> Rule | None:
    """The rule in the record of a decision; None where it has none that is known today."""
    rule = decision.get("rule")
    return rule if _is_rule(rule) else None


def _is_rule(value: object) -> TypeGuard[Rule]:
    return isinstance(value, str) and value in RULES
