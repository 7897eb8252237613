"""What crews do to their files, one kind each, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from abalone_assets_tests.support.whole_surveys import ERRORS, Animals, aged
from abalone_assets_tests.survey import files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Write = Callable[[list[list[str]]], bytes]

Outcome = Literal["read", "held", "refused"]
UNITS_MM_G: Final = files.named_units("mm", "g")


@dataclass(frozen=True)
class Kind:
    """What a crew does to a file.

    Attributes:
        what: In words.
        day: Of the week, from 1 on.
        outcome: What becomes of the file's good rows in the end.
        told: A pattern of the note or reason; empty when nothing is told.
        write: Makes the file's bytes from the fields of its rows.
        lost: Animals at its end that are quarantined.
    """

    what: str
    day: int
    outcome: Outcome
    told: str
    write: Write
    lost: int = 0


def _in_every_row(error: str) -> Write:
    change = ERRORS[error] if error in ERRORS else aged(np.ceil)
    return lambda rows: _animals(rows).with_error(change).file()


def _trailing_commas(rows: list[list[str]]) -> bytes:
    return files.text([[fields[0].lower(), *fields[1:], ""] for fields in rows])


def _cut_short(rows: list[list[str]]) -> bytes:
    """Without the second half of the last line."""
    return files.text([*rows[:-1], rows[-1][:5]], end="")


def _decimal_commas(rows: list[list[str]]) -> bytes:
    return files.text([files.with_commas(fields) for fields in rows], delimiter=";")


UNREADABLE: Final = "cannot be read at first"
CORRECTED: Final = "corrected in place, with equal size and time"
GROWING: Final = "grows row by row"
KINDS: Final = (
    Kind("lower-case sexes, trailing commas", 1, "read", "lower case", _trailing_commas),
    Kind(
        "a header in another order",
        1,
        "read",
        "in the order ",
        lambda rows: files.text(
            [files.ordered(fields) for fields in rows], files.ordered(files.UCI)
        ),
    ),
    Kind("weights * 0.2", 2, "held", "weights were in kilograms", _in_every_row("weights * 0.2")),
    Kind(
        "a header with mm and g",
        2,
        "read",
        "converted from mm and g",
        lambda rows: files.text(files.in_units(1, 1, rows), UNITS_MM_G),
    ),
    Kind(
        "all measurements * 0.2",
        3,
        "held",
        "measurements were in metres and kilograms",
        _in_every_row("all measurements * 0.2"),
    ),
    Kind("semicolons, decimal commas", 3, "refused", "separated by semicolons", _decimal_commas),
    Kind(
        "shucked and viscera weight swapped, no header",
        4,
        "held",
        "shucked_weight and viscera_weight stood in each other's columns",
        _in_every_row("shucked_weight and viscera_weight swapped"),
    ),
    Kind(
        "centimetres, no header",
        4,
        "refused",
        "look like centimetres",
        lambda rows: files.text(files.in_units(10, 200, rows)),
    ),
    Kind(
        "ages for rings",
        5,
        "refused",
        r"rings \+ 1\.5",
        lambda rows: files.text([files.aged(fields) for fields in rows]),
    ),
    Kind(
        "ages for rings, rounded up",
        5,
        "held",
        "rings were ages in years",
        _in_every_row("ages, rounded up, for rings"),
    ),
    Kind("cut short", 6, "read", "if the file was cut short", _cut_short, lost=1),
    Kind(UNREADABLE, 6, "read", "", files.text),
    Kind(CORRECTED, 7, "read", "", files.text),
    Kind(GROWING, 7, "read", "", files.text),
)


def _animals(rows: Sequence[Sequence[str]]) -> Animals:
    numbers = np.array([fields[1:] for fields in rows], dtype=np.float64)
    return Animals(np.array([fields[0] for fields in rows]), numbers)
