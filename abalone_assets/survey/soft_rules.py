"""The soft rules: rows that look odd, are counted, and are kept.

Each rule is a linear inequality over columns, held as data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.survey.columns import MEASUREMENT_DECIMALS

if TYPE_CHECKING:
    from collections.abc import Mapping

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

        Columns of NumPy arrays give an array, Polars series a series.
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
