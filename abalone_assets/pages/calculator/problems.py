"""What is wrong with an animal as it was typed or pasted, or odd about it, named by its column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UNITS: Final = "units"
"""Stands for a column where the units are at fault."""


@dataclass(frozen=True)
class Problem:
    """What is wrong, or odd.

    Attributes:
        column: A survey column, ``units``, or None when it is the animal as a whole.
        rule: As in `survey.SurveyRowError`, the name of a soft rule, or ``missing``, ``units``,
            ``unlike``, ``too_small``, ``unknown_sex``, ``outside`` or ``old``.
        message: For people.
    """

    column: str | None
    rule: str
    message: str
