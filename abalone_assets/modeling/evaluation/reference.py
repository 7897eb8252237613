"""The reference: what keeps a chain of small losses from wearing the model down.

A champion may be a little worse than the one before, so that tests against the champion alone
would let the model decline slowly: biocreep, in clinical trials (D'Agostino, Massaro and Sullivan,
*Non-inferiority trials*, Statistics in Medicine 22, 2003). Hence the same test against the
reference, where that is another version: the last that was approved as more than just as good as
its champion. Only a model that is shown to be better than both becomes the next reference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.evaluation.evidence import (
    Compared,
    compared_overall,
    require_as_good,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

REFERENCE_RULES: Final = frozenset({"first_model", "better_than_champion"})
"""A version that was approved by one of them may be the reference of later models."""


def beside_reference(
    reference: Mapping[str, Any] | None, champion: str, tolerance: float, min_rows: int
) -> Compared | None:
    """The comparison with the reference; None when there is none beside the champion.

    Args:
        reference: What the evaluation says of it.
        champion: The champion, as a sentence names it.
        tolerance: The margin as a share of the reference's RMSE.
        min_rows: Fewest rows that can be compared.

    Raises:
        RejectedError: The model is not shown to be as good, or the comparison is not usable.
    """
    if reference is None:
        return None
    name = f"version {reference.get('version')}"
    older = replace(
        compared_overall(reference, name, tolerance, min_rows),
        about_it=", the last version approved as more than just as good as its champion",
    )
    require_as_good(
        older,
        f"it holds against {champion}, but on {older.rows:,} rows that neither model had learnt "
        f"from, RMSE {older.rmse:.3f} is {older}",
        worse="worse_than_reference",
        not_shown="not_shown_as_good_as_reference",
    )
    return older
