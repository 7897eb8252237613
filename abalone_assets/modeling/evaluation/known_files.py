"""Evidence by source file: a gain on rows that the champion did not know is no gain over it.

The champion has never seen rows like those of a new file. Whether these are right or wrong, a model
that learnt from such rows is better there; and when there are many, a loss on all that both know
disappears behind that gain. So the comparison on all rows is held again on the rows that the
champion knew (`known_rows`), and both must hold. Where it knew too few to judge, as when another
base survey took the place of the one that it learnt, all rows decide, and no gain counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.evaluation.evidence import (
    AGAIN,
    EVIDENT_ROWS,
    RejectedError,
    compared,
    compared_slices,
    require,
    require_as_good,
)

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.evidence import Compared

_NAMED: Final = 3
"""New files that a sentence names."""
_TOLD_BY: Final = {
    "learnt_rows": "",
    "out_of_fold": " (as its out-of-fold predictions tell: its archive is of an older release)",
}


@dataclass(frozen=True)
class OnKnownFiles:
    """A model beside a rival on the rows that the rival knew: checked.

    Attributes:
        rival: The other model, as a sentence names it.
        told_by: As in `known_rows.KnownRows`; None when nothing tells which rows these are.
        new_files: The other rows, as a sentence names them.
        overall: On all known rows; None when there is none.
        tested: On those of the test split, if there are any.
        slices: In each sex and age band.
    """

    rival: str
    told_by: str | None
    new_files: str = ""
    overall: Compared | None = None
    tested: Compared | None = None
    slices: Sequence[Compared] = ()

    @property
    def how(self) -> str:
        """What a sentence adds about how the rows are known."""
        return _TOLD_BY.get(self.told_by or "", "")

    @property
    def rows(self) -> int:
        """Number of known rows."""
        return 0 if self.overall is None else self.overall.rows

    def shows_gain(self, least: int) -> bool:
        """Whether the model is better on at least so many rows that both know."""
        known = self.overall
        return known is not None and known.rows >= least and known.high < 0

    def told_beside(self, overall: Compared, least: int) -> str:
        """What an approval adds to the comparison on all rows."""
        gain = overall.high < 0
        if self.told_by is None:
            why = ": a gain on all rows is none over it" if gain else ""
            return f"; nothing tells which files {self.rival} knew{why}"
        if self.rows == overall.rows:
            return f", all of them of files that it knew{self.how}"
        if self.rows < least:
            few = (
                f"{self.rows:,} of them, too few to judge, are" if self.rows else "none of them is"
            )
            return (
                f"; {few} of files that {self.rival} knew{self.how}, so that all rows decide, and "
                "a gain over it does not count"
            )
        alone = gain and not self.shows_gain(least)
        only = f"; the gain is on the {self.new_files} alone" if alone else ""
        return f", and on the {self.rows:,} of files that it knew{self.how} {self.overall}{only}"


def on_known_files(
    other: Mapping[str, Any], rival: str, tolerance: float, slice_tolerance: float
) -> OnKnownFiles | None:
    """Check the comparisons on the rows that a rival knew: `champion.KnownFiles`.

    Returns:
        None when the evaluation was made by a release that did not tell files apart.

    Raises:
        RejectedError: They are not usable.
    """
    if "known_files" not in other:
        return None
    found = other["known_files"]
    known: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    told_by = known.get("told_by", "")
    if told_by is None:
        return OnKnownFiles(rival, None)
    if not isinstance(told_by, str) or told_by not in _TOLD_BY or "paired" not in known:
        raise RejectedError(f"the evaluation does not say which files {rival} knew; {AGAIN}")
    new_files, paired = _named(known.get("new_files")), known["paired"]
    if paired is None:
        return OnKnownFiles(rival, told_by, new_files)
    paired, of = paired if isinstance(paired, Mapping) else {}, f"of files that {rival} knew"
    overall = compared(paired.get("overall"), f"the rows {of}", rival, tolerance)
    tested = None
    if paired.get("test", "") is not None:
        tested = compared(paired.get("test"), f"the test rows {of}", rival, slice_tolerance)
    slices = compared_slices(paired.get("slices"), rival, slice_tolerance, of=f" {of}")
    return OnKnownFiles(rival, told_by, new_files, overall, tested, slices)


def _named(files: object) -> str:
    known = files if isinstance(files, Sequence) and not isinstance(files, str) else ()
    names = [str(each.get("value")) for each in known if isinstance(each, Mapping)]
    more = ", …" if len(names) > _NAMED else ""
    return f"rows new to it ({', '.join(names[:_NAMED])}{more})" if names else "rows new to it"


def require_as_good_on_known_files(
    known: OnKnownFiles, overall: Compared, *, least: int, least_test: int
) -> None:
    """A model that holds on all rows must hold on those that the champion knew.

    Where these are too few to show that it does, it may not be clearly worse there.

    Args:
        known: The comparison there.
        overall: The one on all rows.
        least: Fewest rows that can show that the model is as good.
        least_test: Fewest test rows by which the final fit is judged.

    Raises:
        RejectedError: It is not shown to, or is clearly worse.
    """
    found, rival = known.overall, known.rival
    if found is None:
        return
    require(
        found.rows <= overall.rows,
        f"more rows are of files that {rival} knew than there are; {AGAIN}",
        "unusable_evidence",
    )
    told = (
        f"on the {found.rows:,} rows of files that {rival} knew{known.how}, RMSE "
        f"{found.told_rmse} is {found}, though on all {overall.rows:,} rows it is {overall.apart}: "
        f"look at the {known.new_files}"
    )
    if found.rows < least:
        evident = found.rows >= EVIDENT_ROWS and found.low > found.margin
        require(not evident, told, "worse_on_known_files")
        return
    gain = overall.high < 0
    require_as_good(
        found,
        told,
        worse="worse_on_known_files",
        not_shown="gain_only_on_new_files" if gain else "not_shown_on_known_files",
    )
    tested = known.tested
    if tested is not None and tested.rows >= least_test:
        require(
            not tested.clearly_worse,
            f"on the {tested.rows:,} test rows of files that {rival} knew, the only ones that it "
            f"answers itself, RMSE {tested.told_rmse} is {tested}",
            "worse_on_test_split",
        )
