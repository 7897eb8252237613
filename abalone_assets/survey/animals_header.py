"""Which field of a file of animals is which measurement, where nobody counted rings.

Such a file is read more freely than a survey: whatever else stands in it goes along. Nothing of it
is learnt from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from abalone_assets.survey.columns import COLUMNS, FEATURES
from abalone_assets.survey.header import PROBLEM, HeaderError, Layout, is_header, read_header
from abalone_assets.survey.units import CONTRACT_UNITS, Units

if TYPE_CHECKING:
    from collections.abc import Sequence

_REMEDY: Final = "correct the names"


@dataclass(frozen=True)
class AnimalsHeader:
    """How the fields of a line are read.

    Attributes:
        places: For each of ``FEATURES`` the index of its field.
        width: How many fields a line has.
        units: Of the measurements.
        others: Index and name of each field that is no measurement and goes along.
        is_line: Whether the first line is a header, and no animal.
        told: Whether that header tells the units.
    """

    places: tuple[int, ...] = tuple(range(len(FEATURES)))
    width: int = len(FEATURES)
    units: Units = CONTRACT_UNITS
    others: tuple[tuple[int, str], ...] = ()
    is_line: bool = False
    told: bool = False

    def trimmed(self, fields: list[str]) -> list[str]:
        """The fields without empty ones behind the last, and without rings that no header names."""
        while len(fields) > self.width and not fields[-1].strip():
            fields = fields[:-1]
        if not self.is_line and len(fields) == len(COLUMNS):
            return fields[: len(FEATURES)]
        return fields

    def miscounted(self, count: int) -> str:
        """What is wrong with a line of so many fields."""
        named = "as the header has" if self.is_line else ", ".join(FEATURES)
        return f"found {count} field{'' if count == 1 else 's'}; expected {self.width}: {named}"


def read_animals_header(
    first: Sequence[str], units: Units | None, *, header_wins: bool = False
) -> AnimalsHeader:
    """How a file is read whose first line has these fields.

    Args:
        first: The fields; names in any order and any usual spelling, or an animal's.
        units: Of the measurements, if anybody told.
        header_wins: Whether units in a header are believed where others were told.

    Raises:
        HeaderError: It is a header that is not understood, or one that contradicts the units.
    """
    if not is_header(first):
        return AnimalsHeader(units=units or CONTRACT_UNITS)
    layout = read_header(first, FEATURES, remedy=_REMEDY, others=True)
    if not layout.measures_in_one_way:
        raise HeaderError(
            "its header tells several units of length, or of weight: write all in one"
        )
    if layout.has_units and units not in {None, layout.told_units} and not header_wins:
        raise HeaderError(
            f"its header tells the units {layout.units_named} itself: leave out --units"
        )
    told = layout.told_units if layout.has_units else units or CONTRACT_UNITS
    return AnimalsHeader(
        layout.positions,
        layout.width,
        told,
        _others(first, layout),
        is_line=True,
        told=layout.has_units,
    )


def _others(first: Sequence[str], layout: Layout) -> tuple[tuple[int, str], ...]:
    """The fields that go along, each by a name of its own."""
    found: list[tuple[int, str]] = []
    for place in range(layout.width):
        name = first[place].strip() or f"column {place + 1}"
        if place in layout.positions or name.casefold() == PROBLEM:
            continue
        taken = {known.casefold() for _, known in found}
        number = 2
        unique = name
        while unique.casefold() in taken:
            unique, number = f"{name} {number}", number + 1
        found.append((place, unique))
    return tuple(found)
