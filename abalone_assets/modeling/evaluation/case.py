"""What the gate is asked and what it answers: a model's evaluation, the limits, a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from abalone_assets.errors import AbaloneError
from abalone_assets.modeling.evaluation.evidence import (
    Compared,
    UnusableEvidenceError,
    compared,
    compared_slices,
    comparisons_with,
    is_size,
    other_model,
)


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
        rule: The rule that decided. Against the model: ``unusable_rmse``, ``unusable_evidence``,
            ``test_split_touched``, ``near_twins``, ``trained_on_other_rows``, ``too_few_rows``,
            ``above_max_rmse``, ``final_fit_unlike_its_folds``, ``worse_than_champion``,
            ``not_shown_as_good``, ``worse_on_test_split``, ``worse_than_reference``,
            ``not_shown_as_good_as_reference``, ``worse_in_slice``. In its favour: ``first_model``,
            ``unchanged``, ``better_than_champion`` (and than the reference),
            ``holds_against_reference`` (better than the champion alone),
            ``holds_against_champion``.
    """

    approved: bool
    reason: str
    rule: str


def approved(why: str, rule: str) -> Decision:
    """In favour of the model."""
    return Decision(approved=True, reason=f"Approved: {why}.", rule=rule)


def rejected(why: str, rule: str) -> Decision:
    """Against the model."""
    return Decision(approved=False, reason=f"Rejected: {why}.", rule=rule)


@dataclass(frozen=True)
class Case:
    """A model to judge; what is wanted of its champion raises `UnusableEvidenceError`.

    Attributes:
        evaluation: The evaluation document.
        limits: What is asked for.
    """

    evaluation: Mapping[str, Any]
    limits: GateLimits

    @property
    def within_limit(self) -> str:
        """That its RMSE is good enough by itself, as a sentence begins."""
        return f"RMSE {self.evaluation['rmse']:.3f} is within the limit of {self.limits.max_rmse:g}"

    def other(self, role: str) -> Mapping[str, Any] | None:
        """What is said of the ``champion`` or the ``reference``; None when there is none."""
        return other_model(self.evaluation, role)

    @property
    def champion(self) -> str:
        """The champion as a sentence names it."""
        return f"champion version {self._champion.get('version')}"

    @cached_property
    def overall(self) -> Compared:
        """Beside the champion on all rows that neither had learnt from."""
        return overall(self._champion, self.champion, self.limits)

    @cached_property
    def tested(self) -> Compared:
        """Beside the champion on the test rows alone."""
        found, tolerance = comparisons_with(self._champion), self.limits.slice_tolerance
        return compared(found.get("test"), "the test rows", self.champion, tolerance)

    @cached_property
    def slices(self) -> list[Compared]:
        """Beside the champion in every sex and every age band."""
        found, tolerance = comparisons_with(self._champion), self.limits.slice_tolerance
        return compared_slices(found.get("slices"), self.champion, tolerance)

    @property
    def unseen(self) -> str:
        """On which rows both models are compared, as a sentence says it."""
        why = self._champion.get("test_rows_alone")
        few = f" (the test rows alone: {why})" if isinstance(why, str) else ""
        return f"on {self.overall.rows:,} rows that neither model had learnt from{few}"

    @property
    def unjudged(self) -> str:
        """The slices that are too small to judge, as a sentence ends; empty when there are none."""
        least = self.limits.min_slice_rows
        few = [f"{each.where} ({each.rows})" for each in self.slices if each.rows < least]
        return f"; too few rows to judge {', '.join(few)}" if few else ""

    @property
    def _champion(self) -> Mapping[str, Any]:
        return self.other("champion") or {}


def overall(other: Mapping[str, Any], name: str, limits: GateLimits) -> Compared:
    """The comparison with another model on all rows that neither had learnt from.

    Args:
        other: What the evaluation says of that model.
        name: The model, as a sentence names it.
        limits: Say how many rows are needed, and how much worse still counts as equal.

    Raises:
        UnusableEvidenceError: There is no usable one, or it is of too few rows.
    """
    found = comparisons_with(other).get("overall")
    checked = compared(found, "all rows", name, limits.champion_tolerance)
    if checked.rows < limits.min_rows:
        raise UnusableEvidenceError(
            f"the comparison with {name} is of {checked.rows:,} rows, and {limits.min_rows} are "
            "needed; evaluate the model again"
        )
    return checked


def short_of(other: Compared, told: str, worse: str, not_shown: str) -> Decision | None:
    """The rejection of a model that is not shown to be as good as another, by one of two rules."""
    if other.high <= other.margin:
        return None
    if other.low > 0:
        return rejected(told, worse)
    return rejected(f"too little evidence: {told}", not_shown)
