"""Some lines of a file of animals, as they were read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from abalone_assets.survey import FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.modeling.rows import Rows
    from abalone_assets.survey.units import Units

MANY: Final = 5_000
"""Lines that are read and written by Polars, in a fifth of the time; for fewer it is not loaded."""


@dataclass(frozen=True)
class BadAnimal:
    """A line that is no animal.

    Attributes:
        line: Its number in the file, from 1.
        column: The column at fault; None when the line as a whole is.
        message: What is wrong with it.
        looks_like: The units that it clearly is in, if these are others than told.
    """

    line: int
    column: str | None
    message: str
    looks_like: Units | None = None

    def __str__(self) -> str:
        """Where it is, and what is wrong."""
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: {self.message}"


@dataclass(frozen=True)
class Batch:
    """Some lines of a file.

    Attributes:
        fields: The eight fields of each line as they were written, but for decimal commas: for each
            of ``FEATURES`` a text for each of the ``n`` lines. None where ``as_given`` has them.
        others: The fields that go along, likewise.
        animals: Those that can be asked about, canonical, in the survey's units.
        bad: The lines that are no animals, by their place in the batch.
        ignored_rings: How many lines had a ninth field, which is not asked about.
        as_given: What was given, a text for each line, where an endpoint reads that as the same
            animals: plain numbers in the survey's units; else empty.
    """

    fields: Sequence[Sequence[str]] | None
    others: Sequence[Sequence[str]]
    animals: Rows | None
    bad: dict[int, BadAnimal]
    ignored_rings: int
    as_given: Sequence[str] = ()

    def __len__(self) -> int:
        """Lines, bad ones too."""
        return len(self.as_given) if self.fields is None else len(self.fields[0])

    @cached_property
    def given(self) -> Sequence[Sequence[str]]:
        """The fields; they are seldom needed where all lines are clean."""
        if self.fields is not None:
            return self.fields
        fields, width = ",".join(self.as_given).split(","), len(FEATURES)
        return [fields[place::width] for place in range(width)]

    def to_csv(self) -> str:
        """Its animals as an endpoint takes them."""
        if self.animals is None:
            return ""
        if self.as_given:
            return "\n".join(self.as_given) + "\n"
        sexes, *numbers = self.animals.columns
        written = [map(str, cast("Any", column).tolist()) for column in numbers]
        return "\n".join(map(",".join, zip(sexes, *written, strict=True))) + "\n"
