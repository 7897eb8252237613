"""Survey files drawn from real animals: as they are, and with an error in every row."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from abalone_assets.survey import MEASUREMENTS, TARGET, ParsedSurvey, parse_survey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Error = Callable[[NDArray[np.float64]], NDArray[np.float64]]

NUMBERS: Final = (*MEASUREMENTS, TARGET)
GROUPS: Final = {
    "lengths": ("length", "diameter", "height"),
    "weights": ("whole_weight", "shucked_weight", "viscera_weight", "shell_weight"),
}


@dataclass(frozen=True)
class Animals:
    """Real animals.

    Attributes:
        sex: (n,).
        numbers: The seven measurements and the rings, (n, 8).
    """

    sex: NDArray[np.str_]
    numbers: NDArray[np.float64]

    @classmethod
    def of(cls, file: Path) -> Self:
        """The animals of a survey file that obey the contract."""
        return cls.in_columns(parse_survey(file.read_bytes(), file.name).columns)

    @classmethod
    def in_columns(cls, columns: Mapping[str, Any]) -> Self:
        """The animals of these columns."""
        numbers = np.array([columns[name] for name in NUMBERS], dtype=np.float64)
        return cls(np.array(columns["sex"], dtype=str), numbers.T)

    def __len__(self) -> int:
        return len(self.sex)

    def __getitem__(self, rows: NDArray[np.generic] | slice) -> Self:
        return type(self)(self.sex[rows], self.numbers[rows])

    def drawn(self, count: int, random: np.random.Generator) -> Self:
        """So many of them, each once."""
        return self[random.choice(len(self), count, replace=False)]

    def with_error(self, error: Error) -> Self:
        """What a crew writes that makes this error in every row."""
        return type(self)(self.sex, error(self.numbers.copy()))

    def file(self) -> bytes:
        """Them as a survey file."""
        rows = zip(self.sex, self.numbers, strict=True)
        lines = (",".join([sex, *(f"{value:.6g}" for value in numbers)]) for sex, numbers in rows)
        return ("\n".join(lines) + "\n").encode()

    def survey(self) -> ParsedSurvey:
        """Them as ingestion reads them."""
        return parse_survey(self.file(), "abalone.20250314061500")

    def columns(self) -> dict[str, list[object]]:
        """Them column by column, as canonical rows are."""
        values = dict(zip(NUMBERS, self.numbers.T.tolist(), strict=True))
        return {"sex": list(self.sex), **values}

    def kinds(self) -> dict[str, Self]:
        """All of them, each sex alone, and the smallest and the largest third, fifth by length."""
        length = self.numbers[:, 0]
        below, above = np.quantile(length, [0.2, 1 / 3]), np.quantile(length, [0.8, 2 / 3])
        return {
            "all": self,
            **{f"sex {sex}": self[self.sex == sex] for sex in "MFI"},
            "small (a fifth)": self[length <= below[0]],
            "small (a third)": self[length <= below[1]],
            "large (a fifth)": self[length >= above[0]],
            "large (a third)": self[length >= above[1]],
        }


def scaled(names: Sequence[str], factor: float) -> Error:
    """These columns times a factor."""
    places = [NUMBERS.index(name) for name in names]

    def error(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        numbers[:, places] *= factor
        return numbers

    return error


def swapped(one: str, other: str) -> Error:
    """Two columns in each other's place."""
    order = list(range(len(NUMBERS)))
    first, second = NUMBERS.index(one), NUMBERS.index(other)
    order[first], order[second] = second, first
    return lambda numbers: numbers[:, order]


def aged(rounded: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Error:
    """Ages in years, rounded, instead of rings."""

    def error(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        numbers[:, -1] = rounded(numbers[:, -1] + 1.5)
        return numbers

    return error


def in_part(error: Error, every: int) -> Error:
    """The error in one of so many rows only."""

    def part(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        numbers[::every] = error(numbers[::every].copy())
        return numbers

    return part


ERRORS: Final[dict[str, Error]] = {
    **{
        f"{group} * {factor:g}": scaled(GROUPS[group], factor)
        for group in ("weights", "lengths")
        for factor in (0.1, 0.2, 0.45, 2.2, 5, 10)
    },
    "lengths in inches": scaled(GROUPS["lengths"], 200 / 25.4),
    "lengths in inches / 200": scaled(GROUPS["lengths"], 1 / 25.4),
    "all measurements * 0.2": scaled(MEASUREMENTS, 0.2),
    **{f"{name} * {factor:g}": scaled([name], factor) for name in NUMBERS for factor in (0.1, 10)},
    **{f"{one} and {other} swapped": swapped(one, other) for one, other in pairwise(NUMBERS)},
    "ages, rounded down, for rings": aged(np.floor),
    "ages, rounded to even, for rings": aged(np.round),
    "ages, rounded up, for rings": aged(np.ceil),
    "weights * 0.2 in every second row": in_part(scaled(GROUPS["weights"], 0.2), 2),
    "weights * 0.2 in every third row": in_part(scaled(GROUPS["weights"], 0.2), 3),
}
