"""Files as crews write them, of forty animals: with other names, units, orders and separators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets.sample_data import base_survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Fields = list[str]

ANIMALS: Final[list[Fields]] = [
    line.split(",") for line in base_survey().read_text().splitlines()[:40]
]
UCI: Final = [
    *("Sex", "Length", "Diameter", "Height", "Whole weight", "Shucked weight"),
    *("Viscera weight", "Shell weight", "Rings"),
]
FOREIGN: Final = ["sexo", "talla", "ancho", "alto", "peso", "carne", "tripa", "nácar", "aros"]
SWAPPED: Final = [0, 1, 2, 3, 4, 5, 7, 6, 8]
"""The order of the copies whose shell weight stands before the viscera's."""


def text(
    rows: Sequence[Fields] = ANIMALS,
    header: Fields | None = None,
    *,
    delimiter: str = ",",
    end: str = "\n",
) -> bytes:
    """A file's bytes."""
    lines = [delimiter.join(fields) for fields in ([header] if header else []) + list(rows)]
    return ("\n".join(lines) + end).encode()


def ordered(fields: Fields, order: Sequence[int] = SWAPPED) -> Fields:
    """The fields in another order."""
    return [fields[at] for at in order]


def in_units(length: float, weight: float, rows: Sequence[Fields] = ANIMALS) -> list[Fields]:
    """The animals in units of so many millimetres and grams."""
    sizes = [None, *[length] * 3, *[weight] * 4, None]
    return [
        [
            value if size is None else f"{float(value) * 200 / size:.7g}"
            for value, size in zip(fields, sizes, strict=True)
        ]
        for fields in rows
    ]


def named_units(length: str, weight: str, pattern: str = "{} ({})") -> Fields:
    """UCI's header with units."""
    units = ["", *[length] * 3, *[weight] * 4, ""]
    return [
        pattern.format(name, unit) if unit else name for name, unit in zip(UCI, units, strict=True)
    ]


def each(change: Callable[[Fields], Fields], every: int = 1) -> list[Fields]:
    """The animals, every so manyth of them changed."""
    return [
        change(fields) if number % every == 0 else fields for number, fields in enumerate(ANIMALS)
    ]


def sexed(change: Callable[[str], str]) -> Callable[[Fields], Fields]:
    """Change the sex."""
    return lambda fields: [change(fields[0]), *fields[1:]]


def with_commas(fields: Fields) -> Fields:
    """With decimal commas."""
    return [value.replace(".", ",") for value in fields]


def aged(fields: Fields) -> Fields:
    """With the age in years for the rings."""
    return [*fields[:8], str(float(fields[8]) + 1.5)]


def numbered(rows: Sequence[Fields]) -> list[Fields]:
    """With an index before the sex."""
    return [[str(number), *fields] for number, fields in enumerate(rows)]


def with_value(value: str, at: int, place: int = 3) -> bytes:
    """The file with another value in one of its fields."""
    rows = [list(fields) for fields in ANIMALS]
    rows[place][at] = value
    return text(rows)
