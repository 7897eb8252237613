"""The abalones of a request, column by column: many clean rows are read at once.

This module needs NumPy only and travels inside every model archive.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from abalone_assets.survey import COLUMNS, FEATURES, MEASUREMENT_DECIMALS, SEXES
from abalone_assets.survey.columns import SCALE
from abalone_assets.survey.units import CONTRACT_UNITS, Units, mistaken_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = Sequence[Any]
"""One abalone: its sex and its seven measurements, in the survey's order and units."""

FEW_CHARACTERS: Final = 2048
"""Shorter bodies are read sooner row by row: NumPy takes some microseconds a column."""

_NUMBERS: Final = b"0123456789.,\n"
_CLEAN: Final = _NUMBERS + "".join(SEXES).encode()
"""What a body of plain decimal numbers is written in: no sign, exponent, blank or quote."""

_MAXIMA: Final = [column.maximum for column in COLUMNS[1 : len(FEATURES)]]
_GRID: Final = 10.0**MEASUREMENT_DECIMALS
_LENGTH: Final = FEATURES.index("length") - 1
_WHOLE: Final = FEATURES.index("whole_weight") - 1


class Rows(Sequence[Row]):
    """Valid abalones.

    Attributes:
        columns: The sexes, then the seven measurements, ``n`` values each.
        content_type: The media type that they were sent in.
    """

    def __init__(self, columns: Sequence[Sequence[Any]], content_type: str) -> None:
        self.columns = columns
        self.content_type = content_type

    @classmethod
    def of(cls, rows: Sequence[Row], content_type: str) -> Rows:
        """The columns of at least one row."""
        return cls(list(zip(*rows, strict=True)), content_type)

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[Row]:
        return iter(zip(*map(_plain, self.columns), strict=True))

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        return list(self)[place]


def _plain(column: Any) -> Any:  # noqa: ANN401 - a sequence, perhaps an array
    return column.tolist() if isinstance(column, np.ndarray) else column


def csv_columns(text: str, units: Units = CONTRACT_UNITS) -> list[Sequence[Any]] | None:
    """The eight columns of a clean CSV body, or None for one that must be read row by row.

    Clean is what instruments write: the three sexes and plain decimal numbers, every one of them
    possible, eight fields a line. It is read as `validate_measurements` reads it.

    Args:
        text: The body.
        units: Of its measurements.
    """
    if len(text) < FEW_CHARACTERS or not text.isascii() or text.encode().translate(None, _CLEAN):
        return None
    lines = [line for line in text.split("\n") if line]
    if {line.count(",") for line in lines} != {len(FEATURES) - 1}:
        return None
    fields = ",".join(lines).split(",")
    if max(map(len, fields)) > csv.field_size_limit():  # which `csv` refuses
        return None
    columns = [fields[place :: len(FEATURES)] for place in range(len(FEATURES))]
    return checked_columns(columns, units)


def field_columns(
    columns: Sequence[Sequence[str]], units: Units = CONTRACT_UNITS
) -> list[Sequence[Any]] | None:
    """The eight columns of clean fields, or None for those that must be read row by row.

    Args:
        columns: The fields of many animals, column by column in the order of ``FEATURES``.
        units: Of their measurements.
    """
    numbers = "\n".join(["\n".join(column) for column in columns[1:]])
    if "," in numbers or not numbers.isascii() or numbers.encode().translate(None, _NUMBERS):
        return None
    return checked_columns(columns, units)


def json_columns(
    instances: Sequence[object], units: Units = CONTRACT_UNITS
) -> list[Sequence[Any]] | None:
    """The eight columns of arrays of a clean sex and seven numbers, or None as `csv_columns`."""
    if len(instances) * len(FEATURES) * 8 < FEW_CHARACTERS:
        return None
    arrays = [each for each in instances if type(each) is list and len(each) == len(FEATURES)]
    if len(arrays) != len(instances):
        return None
    columns = list(zip(*arrays, strict=True))
    numbers = {kind for column in columns[1:] for kind in set(map(type, column))}
    return checked_columns(columns, units) if numbers == {float} else None


def checked_columns(
    columns: Sequence[Sequence[Any] | NDArray[Any]], units: Units = CONTRACT_UNITS
) -> list[Sequence[Any]] | None:
    """The columns, canonical, if every sex is plain and every number possible."""
    sexes = columns[0]
    try:
        if not set(sexes) <= set(SEXES):
            return None
        read = np.array(columns[1:], dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if not units.is_contract:
        read = _converted(read, units)
    numbers = np.rint(read * _GRID) / _GRID
    finer = numbers != read
    if finer.any():  # NaN too; Python rounds what was written, not what it times 10,000 is
        numbers[finer] = [round(value, MEASUREMENT_DECIMALS) for value in read[finer].tolist()]
    possible = (numbers > 0) & (numbers <= np.array(_MAXIMA)[:, np.newaxis])
    if not possible.all() or not (units.is_contract or _are_in(units, numbers)):
        return None
    return [sexes, *numbers]


def _converted(read: NDArray[np.float64], units: Units) -> NDArray[np.float64]:
    """Measurements, (7, n), in the survey's units, by the arithmetic of `Unit.to_contract`."""
    told = units.by_column()
    sizes = [unit.size for name in FEATURES[1:] if (unit := told[name]) is not None]
    converted: NDArray[np.float64] = read.copy()
    for place, size in enumerate(sizes):
        if size != SCALE:
            converted[place] = read[place] * size / SCALE
    return converted


def _are_in(units: Units, numbers: NDArray[np.float64]) -> bool:
    """Whether none of the canonical animals, (7, n), clearly is in other units than told."""
    lengths = numbers[_LENGTH] / units.length.to_contract(1.0)
    weights = numbers[_WHOLE] / units.weight.to_contract(1.0)
    return not any(
        mistaken_units(length, weight, units)
        for length, weight in zip(lengths.tolist(), weights.tolist(), strict=True)
    )
