"""The errors that spoil a whole file, such as another unit, and how each is undone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.ingest.plausibility.relations import NUMBERS
from abalone_assets.survey import MEASUREMENTS, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abalone_assets.ingest.plausibility.relations import Logs

_LENGTHS: Final = ("length", "diameter", "height")
_WEIGHTS: Final = ("whole_weight", "shucked_weight", "viscera_weight", "shell_weight")


@dataclass(frozen=True)
class CrewError:
    """An error that a crew makes in a whole file, or in a part of it.

    Attributes:
        words: What the file looks like.
        undone: From its logarithms to what they would be without the error.
    """

    words: str
    undone: Callable[[Logs], Logs]


def _scaled(columns: Sequence[str], log_factor: float) -> Callable[[Logs], Logs]:
    return lambda logs: {**logs, **{name: logs[name] - log_factor for name in columns}}


def _swapped(one: str, other: str) -> Callable[[Logs], Logs]:
    return lambda logs: {**logs, one: logs[other], other: logs[one]}


def _aged(years: float) -> Callable[[Logs], Logs]:
    return lambda logs: {
        **logs,
        TARGET: np.log(np.maximum(np.exp(logs[TARGET]) - years, 0.5)),
    }


_GROUPS: Final = {"lengths": _LENGTHS, "weights": _WEIGHTS, "all measurements": MEASUREMENTS}
_SCALED_TOGETHER: Final = {**_GROUPS, **{name: (name,) for name in NUMBERS}}
_UNITS: Final = (
    ("lengths", 0.2, "metres"),
    ("lengths", 20.0, "centimetres"),
    ("lengths", 200 / 25.4, "inches"),
    ("lengths", 1 / 25.4, "inches / 200"),
    ("weights", 0.2, "kilograms"),
    ("weights", 200 / 28.35, "ounces"),
    ("weights", 200 / 453.6, "pounds"),
    ("weights", 2.2046, "pounds, converted from kilograms once too often"),
    ("all measurements", 0.2, "metres and kilograms"),
)
UNIT_ERRORS: Final = tuple(
    CrewError(f"as if {group} were in {unit}", _scaled(_GROUPS[group], float(np.log(factor))))
    for group, factor, unit in _UNITS
)
KNOWN_ERRORS: Final = (
    *UNIT_ERRORS,
    *(
        CrewError(
            f"as if the decimal point of {name} had slipped", _scaled(columns, float(log_factor))
        )
        for name, columns in _SCALED_TOGETHER.items()
        for log_factor in np.log([0.001, 0.01, 0.1, 10, 100, 1000])
    ),
    *(
        CrewError(f"as if {one} and {other} stood in each other's columns", _swapped(one, other))
        for one, other in pairwise(NUMBERS)
    ),
    *(
        # Only a person can tell the two apart: rows of UCI's that follow one another do it, too.
        CrewError(
            "as if rings were ages in years, unless animals of this place grow otherwise",
            _aged(years),
        )
        for years in (1.0, 1.5, 2.0)
    ),
)


def scalings(shift: float) -> Iterator[CrewError]:
    """Factors over some columns each of which would make up for a relation's shift."""
    for name, columns in _SCALED_TOGETHER.items():
        for power in (-1, -1 / 2, -1 / 3, 1 / 3, 1 / 2, 1):
            words = f"as if {name} were multiplied by {np.exp(power * shift):.2f}"
            yield CrewError(words, _scaled(columns, power * shift))
