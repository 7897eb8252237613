"""No slow decline: a model must also hold against the last that was more than just as good.

A champion may be a little worse than the one before, so that a chain of tests against the champion
alone would wear the model down: biocreep, in clinical trials (D'Agostino, Massaro and Sullivan,
*Non-inferiority trials*, Statistics in Medicine 22, 2003). Hence the same test against the
reference, where that is another version: the last that was approved as more than just as good as
its champion. Only a model that is shown to be better than both becomes the next reference.

Nothing but the gate's list of rules knows of this module: without its lines there, the champion
alone decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from abalone_assets.modeling.evaluation.case import approved, overall, short_of

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.case import Case, Decision
    from abalone_assets.modeling.evaluation.evidence import Compared

REFERENCE_RULES: Final = frozenset({"first_model", "better_than_champion"})
"""A version that was approved by one of them may be the reference of later models."""

_WHAT_IT_IS: Final = ", the last version approved as more than just as good as its champion"


def told(case: Case) -> None:
    """It must be known whether there is a reference, whoever the champion is.

    Raises:
        UnusableEvidenceError: The evaluation does not say so.
    """
    case.other("reference")


def not_as_good(case: Case) -> Decision | None:
    """The rejection of a model that holds against the champion, but not against the reference."""
    reference = _beside_reference(case)
    if reference is None:
        return None
    return short_of(
        reference,
        f"it holds against {case.champion}, but on {reference.rows:,} rows that neither model had "
        f"learnt from, RMSE {reference.rmse:.3f} is {reference}",
        "worse_than_reference",
        "not_shown_as_good_as_reference",
    )


def as_good(case: Case) -> Decision | None:
    """The approval of a model where there is a reference."""
    reference = _beside_reference(case)
    if reference is None:
        return None
    if case.overall.high >= 0:
        rule = "holds_against_champion"
    else:
        rule = "better_than_champion" if reference.high < 0 else "holds_against_reference"
    beside = f"{case.overall}, and on {reference.rows:,} rows {reference}"
    return approved(f"{case.within_limit}, and {case.unseen} it is {beside}{case.unjudged}", rule)


def _beside_reference(case: Case) -> Compared | None:
    reference = case.other("reference")
    if reference is None:
        return None
    name = f"version {reference.get('version')}"
    return replace(overall(reference, name, case.limits), about_it=_WHAT_IT_IS)
