"""A decision of the gate in a few words, for lists: the whole sentence stays in the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.evaluation.evidence import is_number, is_size
from abalone_assets.modeling.evaluation.gate_rules import rule_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.modeling.evaluation.gate_rules import Rule

MAX_CHARACTERS: Final = 90

_ALONE: Final[Mapping[Rule, str]] = {
    "first_model": "held against no other",
    "unusable_rmse": "its RMSE is no number",
    "unusable_evidence": "its evaluation cannot be used",
    "test_split_touched": "the test split was touched",
    "near_twins": "too many rows are there twice",
    "trained_on_other_rows": "trained on other rows than the training split",
    "too_few_rows": "too few test rows",
    "above_max_rmse": "above the limit",
    "final_fit_unlike_its_folds": "the final fit went wrong",
    "champion_changed": "another version became the one to be live meanwhile",
}
"""By the gate's rule; a rule that names another version is in one of the next two."""

_BESIDE_CHAMPION: Final[Mapping[Rule, str]] = {
    "unchanged": "the same model as version {}",
    "better_than_champion": "better than version {}",
    "holds_against_reference": "better than version {}",
    "holds_against_champion": "as good as version {}",
    "worse_than_champion": "worse than version {}",
    "not_shown_as_good": "not shown to be as good as version {}",
    "worse_on_test_split": "worse than version {} on the test rows",
    "worse_on_known_files": "worse than version {} on the files that this knew",
    "gain_only_on_new_files": "not shown to be as good as version {} on the files that this knew",
    "not_shown_on_known_files": "not shown to be as good as version {} on the files that this knew",
    "worse_in_slice": "for some animals worse than version {}",
}
_BESIDE_REFERENCE: Final[Mapping[Rule, str]] = {
    "worse_than_reference": "worse than version {}",
    "not_shown_as_good_as_reference": "not shown to be as good as version {}",
}


def in_short(decision: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    """The decision in a line, with one number and which rows it is of.

    The difference to another version is of the rows that neither had learnt from, the RMSE of the
    test rows. A record of an earlier release without a rule, or with one that is no more, has the
    beginning of its sentence.

    Args:
        decision: What the gate decided: ``approved``, ``rule`` and ``reason``.
        evaluation: The evaluation that it saw.
    """
    rule = rule_of(decision)
    told = None if rule is None else _told(rule, evaluation)
    if told is None:
        return shortened(str(decision.get("reason") or ""))
    return f"{'Approved' if decision.get('approved') is True else 'Rejected'}: {told}."


def _told(rule: Rule, evaluation: Mapping[str, Any]) -> str | None:
    if rule in _ALONE:
        rmse, rows = evaluation.get("rmse"), evaluation.get("rows")
        if rule not in {"first_model", "above_max_rmse"} or not is_size(rmse) or not is_size(rows):
            return _ALONE[rule]
        return f"{_ALONE[rule]}, RMSE {rmse:.3f} on {rows:,} test rows"
    for role, words in (("champion", _BESIDE_CHAMPION), ("reference", _BESIDE_REFERENCE)):
        if rule in words:
            other = evaluation.get(role)
            known = other if isinstance(other, dict) else {}
            told = words[rule].format(known.get("version", "before"))
            return f"{told}{'' if rule == 'unchanged' else _apart(known)}"
    return None


def _apart(other: Mapping[str, Any]) -> str:
    """How far from the other on all rows that neither had learnt from; empty when nothing tells."""
    paired = other.get("paired")
    overall = paired.get("overall") if isinstance(paired, dict) else None
    found = overall if isinstance(overall, dict) else {}
    difference, rows = found.get("difference"), found.get("rows")
    if not is_number(difference) or not is_size(rows):
        return ""
    word = "less" if difference < 0 else "more"
    return f", RMSE {abs(difference):.3f} {word} on {rows:,} unseen rows"


def shortened(sentence: str) -> str:
    """A sentence; of a long one the beginning, up to a word's end."""
    if len(sentence) <= MAX_CHARACTERS:
        return sentence
    return f"{sentence[:MAX_CHARACTERS].rpartition(' ')[0].rstrip(',;:')} …"
