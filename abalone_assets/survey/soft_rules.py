"""The soft rules: rows that look odd, are counted, and are kept.

Each rule is a linear inequality over columns, held as data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.survey.columns import COLUMNS, MEASUREMENT_DECIMALS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROUNDING_SLACK: Final = 0.5 * 10**-MEASUREMENT_DECIMALS
"""Sums of canonical values differ by less than this only through floating-point error."""


@dataclass(frozen=True)
class SoftRule:
    """Violated when the sum of ``terms`` exceeds ``factor * reference`` (or the factor itself).

    Attributes:
        name: Short name, as shown in the asset check.
        terms: The columns that are summed.
        factor: How many times the reference the sum may be; without one, the largest sum.
        reference: The column compared with, or None.
    """

    name: str
    terms: tuple[str, ...]
    factor: float
    reference: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the rule reads."""
        return self.terms if self.reference is None else (*self.terms, self.reference)

    def is_violated(self, row: Mapping[str, Any]) -> bool:
        """Whether the row, canonical measurements by column name, is odd.

        Columns of NumPy arrays give an array.
        """
        limit = self.factor * (1.0 if self.reference is None else row[self.reference])
        violated: bool = sum(row[term] for term in self.terms) - limit > ROUNDING_SLACK
        return violated


# Parts are weighed after bleeding and shucking, on other scales than the whole animal: 153 animals
# of the UCI file have parts that add up to more than the whole, most of them by less than 5 %.
SOFT_RULES: Final = (
    SoftRule("shucked_over_whole", ("shucked_weight",), 1.0, "whole_weight"),
    SoftRule(
        "parts_over_whole",
        ("shucked_weight", "viscera_weight", "shell_weight"),
        1.05,
        "whole_weight",
    ),
    SoftRule("diameter_over_length", ("diameter",), 1.0, "length"),
    SoftRule("height_outlier", ("height",), 0.3),  # 60 mm
)


def count_soft_violations(columns: Mapping[str, Sequence[Any]]) -> dict[str, int]:
    """How many rows violate each soft rule.

    Args:
        columns: Canonical measurements, one sequence a column, all of one length, such as those of
            a parsed survey. Columns that no rule reads are ignored.

    Returns:
        The number of rows for every rule's name, zeros included.
    """
    return {rule.name: _count(rule, columns) for rule in SOFT_RULES}


def count_below_minimum(columns: Mapping[str, Sequence[Any]]) -> int:
    """How many rows have a measurement below the least that is plausible for its column.

    Args:
        columns: As those of `count_soft_violations`.
    """
    lower_ends = [(column.name, column.minimum) for column in COLUMNS if column.minimum is not None]
    rows = zip(*(columns[name] for name, _ in lower_ends), strict=True)
    minima = [minimum for _, minimum in lower_ends]
    return sum(any(value < least for value, least in zip(row, minima, strict=True)) for row in rows)


def _count(rule: SoftRule, columns: Mapping[str, Sequence[Any]]) -> int:
    names = rule.columns
    rows = zip(*(columns[name] for name in names), strict=True)
    return sum(rule.is_violated(dict(zip(names, row, strict=True))) for row in rows)
