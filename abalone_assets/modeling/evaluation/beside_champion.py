"""A model beside the champion, and beside the reference: whether it may take the champion's place.

Against the champion it is a test of non-inferiority on paired rows; what it asks, and why, says
`gate.decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.modeling.evaluation.evidence import (
    EVIDENT_ROWS,
    Compared,
    RejectedError,
    compared,
    compared_overall,
    compared_slices,
    comparisons_with,
    require,
    require_as_good,
)
from abalone_assets.modeling.evaluation.known_files import (
    on_known_files,
    require_as_good_on_known_files,
)
from abalone_assets.modeling.evaluation.reference import beside_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abalone_assets.modeling.evaluation.gate_rules import Approving
    from abalone_assets.modeling.evaluation.known_files import OnKnownFiles
    from abalone_assets.modeling.evaluation.reference import BesideReference


@dataclass(frozen=True)
class BesideChampion:
    """A model that holds against the champion, and against the reference if there is another.

    As a string it is what the gate's sentence says of that.

    Attributes:
        overall: On all rows that neither had learnt from.
        alone: Why these are the test rows alone; None where they are not.
        known: On those that the champion knew; None in evaluations that did not tell.
        reference: Beside the reference; None when there is none beside the champion.
        unjudged: Slices of too few rows to judge.
        least: Fewest rows that can show a gain.
    """

    overall: Compared
    alone: str | None
    known: OnKnownFiles | None
    reference: BesideReference | None
    unjudged: Sequence[Compared]
    least: int

    @property
    def rule(self) -> Approving:
        """By which rule the model is approved."""
        known, reference = self.known, self.reference
        if self.overall.high >= 0 or (known is not None and not known.shows_gain(self.least)):
            return "holds_against_champion"
        if reference is None or reference.lapsed or reference.shows_gain():
            return "better_than_champion"
        return "holds_against_reference"

    def __str__(self) -> str:
        on_known = self.known.told_beside(self.overall, self.least) if self.known else ""
        few = ", ".join(f"{each.where} ({each.rows})" for each in self.unjudged)
        unjudged = f"; too few rows to judge {few}" if few else ""
        found = _told(self.overall, self.alone)
        return f"{found}{on_known}{self.reference or ''}{unjudged}"


def beside_champion(
    champion: Mapping[str, Any],
    reference: Mapping[str, Any] | None,
    *,
    tolerance: float,
    slice_tolerance: float,
    min_rows: int,
    min_slice_rows: int,
) -> BesideChampion:
    """Judge a model beside the champion: on all rows, test rows, known files, then by slice.

    Args:
        champion: What the evaluation says of it.
        reference: What it says of the reference; None when that is the champion.
        tolerance: The margin as a share of the other's RMSE.
        slice_tolerance: The same for one slice, or the test rows alone.
        min_rows: Fewest rows that can be compared.
        min_slice_rows: Fewest rows by which a slice is judged.

    Raises:
        RejectedError: The model is not shown to be as good, or a comparison is not usable.
    """
    name, paired = champion_name(champion), comparisons_with(champion)
    overall = compared_overall(champion, name, tolerance, min_rows)
    tested = compared(paired.get("test"), "the test rows", name, slice_tolerance)
    slices = compared_slices(paired.get("slices"), name, slice_tolerance)
    known = on_known_files(champion, name, tolerance, slice_tolerance)
    told = champion.get("test_rows_alone")
    alone = told if isinstance(told, str) else None

    require_as_good(
        overall,
        _told(overall, alone),
        worse="worse_than_champion",
        not_shown="not_shown_as_good",
    )
    require(  # a ruined final fit must not hide behind good folds
        not tested.clearly_worse,
        f"on the {tested.rows:,} test rows, the only ones that it answers itself, RMSE "
        f"{tested.told_rmse} is {tested}",
        "worse_on_test_split",
    )
    if known is not None:
        require_as_good_on_known_files(known, overall, least=min_rows, least_test=min_slice_rows)
    older = beside_reference(
        reference,
        name,
        tolerance=tolerance,
        slice_tolerance=slice_tolerance,
        min_rows=min_rows,
    )
    _check_slices([*slices, *(known.slices if known else ())], min_slice_rows)
    unjudged = [each for each in slices if each.rows < min_slice_rows]
    return BesideChampion(overall, alone, known, older, unjudged, min_rows)


def champion_name(champion: Mapping[str, Any]) -> str:
    """The champion, as a sentence names it."""
    return f"champion version {champion.get('version')}"


def _told(overall: Compared, alone: str | None) -> str:
    """The comparison on all rows, as a sentence tells it."""
    which = f" (the test rows alone: {alone})" if alone is not None else ""
    return (
        f"on {overall.rows:,} rows that neither model had learnt from{which}, RMSE "
        f"{overall.told_rmse} is {overall}"
    )


def _check_slices(slices: list[Compared], min_rows: int) -> None:
    """No slice may be clearly worse; one of few rows counts only when its whole interval is."""
    worse = [
        each
        for each in slices
        if (
            each.clearly_worse
            if each.rows >= min_rows
            else each.rows >= EVIDENT_ROWS and each.low > each.margin
        )
    ]
    if worse:
        worst = max(worse, key=lambda each: each.difference - each.margin)
        raise RejectedError(
            f"for {worst.where}, RMSE {worst.told_rmse} on {worst.rows:,} rows is {worst}",
            "worse_in_slice",
        )
