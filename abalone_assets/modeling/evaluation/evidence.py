"""What the gate may believe of an evaluation: numbers that are there and agree with one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.gate_rules import Rejecting

_MINUS: Final = "\N{MINUS SIGN}"
_SLICES: Final = {"sex": "sex", "age_band": "the animals of"}
_LARGEST: Final = 1e12
_ROUNDING: Final = 1e-6
AGAIN: Final = "evaluate the model again"
EVIDENT_ROWS: Final = 10
"""Below it the ends of a bootstrap interval say nothing."""


class RejectedError(AbaloneError):
    """The model is not approved; by default because its evidence is missing or contradicts itself.

    Attributes:
        rule: See `gate_rules`.
    """

    def __init__(self, why: str, rule: Rejecting = "unusable_evidence") -> None:
        super().__init__(why)
        self.rule = rule


def require(condition: bool, why_not: str, rule: Rejecting) -> None:  # noqa: FBT001 - as an assertion
    """Reject the model by a rule, unless the condition holds.

    Raises:
        RejectedError: It does not.
    """
    if not condition:
        raise RejectedError(why_not, rule)


@dataclass(frozen=True)
class Compared:
    """A model beside a rival on the same rows: a `paired.Comparison` that was checked.

    Attributes:
        where: Which rows, such as ``sex F``.
        rival: The other model, as a sentence names it.
        margin: How much worse than the rival, in rings, still counts as equal.
        rows: Number of rows.
        rmse: The model's, in rings.
        champion_rmse: The rival's.
        difference: ``rmse - champion_rmse``.
        low: Low end of the difference's 90 % interval.
        high: High end.
        about_it: What a sentence adds about the rival.
    """

    where: str
    rival: str
    margin: float
    rows: int
    rmse: float
    champion_rmse: float
    difference: float
    low: float
    high: float
    about_it: str = ""

    @property
    def _places(self) -> int:
        """Decimals: one more where the two RMSEs would look equal beside a difference."""
        look_equal = f"{self.rmse:.3f}" == f"{self.champion_rmse:.3f}"
        return 4 if look_equal and f"{abs(self.difference):.3f}" != "0.000" else 3

    @property
    def told_rmse(self) -> str:
        """The model's RMSE, such as ``2.217``."""
        return f"{self.rmse:.{self._places}f}"

    @property
    def apart(self) -> str:
        """How far from the rival, such as ``0.012 below``."""
        word = "below" if self.difference < 0 else "above"
        return f"{abs(self.difference):.{self._places}f} {word}"

    def __str__(self) -> str:
        return (
            f"{self.apart} {self.rival}'s {self.champion_rmse:.{self._places}f}"
            f"{self.about_it} (90 % interval {_signed(self.low)} to {_signed(self.high)}, at most "
            f"{_signed(self.margin)} allowed)"
        )

    @property
    def clearly_worse(self) -> bool:
        """Worse by more than the margin, and worse for sure."""
        return self.difference > self.margin and self.low > 0


def compared(found: object, where: str, rival: str, tolerance: float) -> Compared:
    """Check a `paired.Comparison`; ``tolerance`` is the margin as a share of the rival's RMSE.

    Raises:
        RejectedError: A number is missing, is none, or contradicts another.
    """
    unusable = f"the evaluation has no usable comparison with {rival} for {where}; {AGAIN}"
    if not isinstance(found, Mapping):
        raise RejectedError(unusable)
    sizes = {name: found.get(name) for name in ("rows", "rmse", "champion_rmse")}
    signed = {name: found.get(name) for name in ("difference", "low", "high")}
    if not all(map(is_size, sizes.values())) or not all(map(is_number, signed.values())):
        raise RejectedError(unusable)
    numbers: dict[str, Any] = {**sizes, **signed}
    checked = Compared(where, rival, tolerance * numbers["champion_rmse"], **numbers)
    between = checked.low - _ROUNDING <= checked.difference <= checked.high + _ROUNDING
    off = abs(checked.difference - (checked.rmse - checked.champion_rmse))
    if not between or off > _ROUNDING or not isinstance(checked.rows, int):
        raise RejectedError(f"{unusable}: its numbers contradict one another")
    return checked


def compared_slices(groups: object, rival: str, tolerance: float, of: str = "") -> list[Compared]:
    """Check the comparison in every sex and every age band; ``of`` says of which rows.

    Raises:
        RejectedError: A group has no slices, or one of them is not usable.
    """
    known = groups if isinstance(groups, Mapping) else {}
    checked: list[Compared] = []
    for group, label in _SLICES.items():
        slices = known.get(group)
        if not isinstance(slices, Sequence) or isinstance(slices, str) or not slices:
            told = group.replace("_", " ")
            raise RejectedError(f"the evaluation does not compare with {rival} by {told}; {AGAIN}")
        for each in slices:
            value = each.get("value") if isinstance(each, Mapping) else None
            checked.append(compared(each, f"{label} {value}{of}", rival, tolerance))
    return checked


def compared_overall(
    other: Mapping[str, Any], rival: str, tolerance: float, min_rows: int
) -> Compared:
    """Check the comparison with another model on all rows that neither had learnt from.

    Raises:
        RejectedError: It is not usable, or of fewer than ``min_rows`` rows.
    """
    checked = compared(comparisons_with(other).get("overall"), "all rows", rival, tolerance)
    if checked.rows < min_rows:
        raise RejectedError(
            f"the comparison with {rival} is of {checked.rows:,} rows, and {min_rows} are needed; "
            f"{AGAIN}"
        )
    return checked


def require_as_good(
    overall: Compared, found: str, *, worse: Rejecting, not_shown: Rejecting
) -> None:
    """The model must be shown to be as good as its rival.

    Raises:
        RejectedError: By the rule ``worse``, or ``not_shown`` where the interval holds 0.
    """
    if overall.low > 0:
        require(overall.high <= overall.margin, found, worse)
    require(overall.high <= overall.margin, f"too little evidence: {found}", not_shown)


def other_model(evaluation: Mapping[str, Any], role: str) -> Mapping[str, Any] | None:
    """What an evaluation says of the ``champion`` or the ``reference``; None when there is none.

    Raises:
        RejectedError: It does not say whether there is one.
    """
    found = evaluation.get(role, "")
    if found is not None and not isinstance(found, Mapping):
        raise RejectedError(f"the evaluation does not say what the {role} is; {AGAIN}")
    return found


def comparisons_with(other: Mapping[str, Any]) -> Mapping[str, Any]:
    """All comparisons with a model, by what rows they are of; empty when there are none."""
    paired = other.get("paired")
    return paired if isinstance(paired, Mapping) else {}


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def is_size(value: object) -> TypeGuard[float]:
    """Whether it is a finite number that is not below 0."""
    return is_number(value) and value >= 0


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else _MINUS}{abs(value):.3f}"
