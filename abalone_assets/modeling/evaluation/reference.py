"""The reference: what keeps a chain of small losses from wearing the model down.

A champion may be a little worse than the one before, so that tests against the champion alone
would let the model decline slowly: biocreep, in clinical trials (D'Agostino, Massaro and Sullivan,
*Non-inferiority trials*, Statistics in Medicine 22, 2003). Hence the same test against the
reference, where that is another version: the last that was approved as more than just as good as
its champion. Only a model that is shown to be better than both, on rows that they knew, becomes the
next reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.evaluation.evidence import (
    Compared,
    compared_overall,
    require_as_good,
)
from abalone_assets.modeling.evaluation.known_files import OnKnownFiles, on_known_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.modeling.evaluation.gate_rules import Rejecting, Rule

REFERENCE_RULES: Final[frozenset[Rule]] = frozenset({"first_model", "better_than_champion"})
"""A version that was approved by one of them may be the reference of later models."""


@dataclass(frozen=True)
class BesideReference:
    """A model that holds against the reference.

    Attributes:
        overall: On all rows.
        known: On those that the reference knew; None in evaluations that did not tell.
        least: Fewest rows that can show a gain.
    """

    overall: Compared
    known: OnKnownFiles | None
    least: int

    @property
    def lapsed(self) -> bool:
        """Whether it knew too few of today's rows for a gain over it to be seen."""
        known = self.known
        return known is not None and known.told_by is not None and known.rows < self.least

    def shows_gain(self) -> bool:
        """Whether the model is better, on rows that the reference knew too."""
        return self.overall.high < 0 and (self.known is None or self.known.shows_gain(self.least))

    def __str__(self) -> str:
        beside = self.known.told_beside(self.overall, self.least) if self.known else ""
        return f", and on {self.overall.rows:,} rows {self.overall}{beside}"


def beside_reference(
    reference: Mapping[str, Any] | None,
    champion: str,
    *,
    tolerance: float,
    slice_tolerance: float,
    min_rows: int,
) -> BesideReference | None:
    """The comparison with the reference; None when there is none beside the champion.

    The reference may be old. When it knew hardly any of today's rows, these are not judged: the
    champion's are, or else nothing could replace it once old files are gone. What is better than
    the champion takes its place then.

    Args:
        reference: What the evaluation says of it.
        champion: The champion, as a sentence names it.
        tolerance: The margin as a share of the reference's RMSE.
        slice_tolerance: The same for one slice.
        min_rows: Fewest rows that can be compared.

    Raises:
        RejectedError: The model is not shown to be as good, on all rows or on those that the
            reference knew, or the comparison is not usable.
    """
    if reference is None:
        return None
    name = f"version {reference.get('version')}"
    about_it = ", the last version approved as more than just as good as its champion"
    rules: dict[str, Rejecting] = {
        "worse": "worse_than_reference",
        "not_shown": "not_shown_as_good_as_reference",
    }
    older = replace(compared_overall(reference, name, tolerance, min_rows), about_it=about_it)
    known = on_known_files(reference, name, tolerance, slice_tolerance)
    require_as_good(
        older,
        f"it holds against {champion}, but on {older.rows:,} rows that neither model had learnt "
        f"from, RMSE {older.told_rmse} is {older}",
        **rules,
    )
    found = known.overall if known else None
    if found is not None and found.rows >= min_rows:
        found = replace(found, about_it=about_it)
        require_as_good(
            found,
            f"it holds against {champion}, but on the {found.rows:,} rows of files that {name} "
            f"knew, RMSE {found.told_rmse} is {found}, though on all {older.rows:,} rows it is "
            f"{older.apart}",
            **rules,
        )
    return BesideReference(older, known, min_rows)
