"""What a survey says of the files that come after it: plausible, or off as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from abalone_assets.ingest.plausibility.comparison import (
    MAX_ODD_SHARE,
    MIN_AGED_ANIMALS,
    MIN_ODD_ANIMALS,
    Comparison,
)
from abalone_assets.ingest.plausibility.crew_errors import KNOWN_ERRORS, UNIT_ERRORS, scalings
from abalone_assets.ingest.plausibility.relations import (
    RELATIONS,
    STANDARD_ERRORS,
    expected_of,
    fitted,
    logs_of,
)
from abalone_assets.survey import TARGET

if TYPE_CHECKING:
    from abalone_assets.ingest.plausibility.relations import Columns, Fit, Logs

MIN_ANIMALS: Final = 3
"""Distinct animals that a file must have to be off in the mean.

One or two odd ones are only counted, unless a unit, undone, makes usual animals of all of them."""

MIN_ALIKE_ANIMALS: Final = 3
MIN_ALIKE_SHARE: Final = 0.05
MANY_ALIKE_ANIMALS: Final = 30
MANY_ALIKE_SHARE: Final = 0.01
"""Of a file's animals, the odd ones that would be usual if one error, such as a unit, were undone.

Of the UCI survey's 0.07 % are, each by a slip of its own."""

MAX_UNRELATED_SLOPE: Final = 0.4
"""Rings whose slope on what is expected is below it, by 4 standard errors, are unrelated to size.

It is 1, and with these errors above 0.5 in any narrow range of UCI's sizes."""

MIN_RECORDS: Final = 10
MAX_BEYOND_SHARE: Final = 0.5
"""Of a file's records, those that broke a rule of ``SCALE_RULES``, from some records on."""

SCALE_RULES: Final = frozenset(
    {"above_maximum", "not_positive", "not_an_integer", "out_of_range", "units"}
)
"""The rules of the contract that values in another unit break."""

_MAX_EXPLAINED: Final = 5000  # animals: more tell nothing more of what a held file looks like
_MIN_SQUARES: Final = 0.001  # of animals that all should have the same rings


@dataclass(frozen=True)
class Verdict:
    """What a profile says of a file.

    Attributes:
        held: Why the whole file is held, and what it looks like; None when it is plausible.
        odd_animals: Rows of animals whose measurements do not go together, whatever the file.
    """

    held: str | None
    odd_animals: int


@dataclass(frozen=True)
class Profile:
    """How measurements go together: a fit for each of ``RELATIONS``."""

    fits: tuple[Fit, ...]

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """Fit the relations on canonical rows, given column by column."""
        logs = logs_of(columns)
        return cls(tuple(fitted(each, logs) for each in RELATIONS))

    def judge(self, columns: Columns, beyond: int = 0) -> Verdict:
        """Whether the rows of one file are off as a whole.

        Args:
            columns: Its canonical rows, column by column; only distinct ones count as animals.
            beyond: How many more of its records broke one of ``SCALE_RULES``.
        """
        rows, logs = len(columns[TARGET]), logs_of(columns)
        animals = _distinct(logs)
        compared = self._comparison(animals)
        held, explained = self._off(animals, compared)
        if not explained:  # a part may be what shifts the mean
            held = self._alike(animals, compared) or held or self._unrelated(animals)
        repeats = len(animals[TARGET]) < rows
        odd = self._comparison(logs).odd if repeats else compared.odd
        return Verdict(held or _beyond(beyond, rows + beyond), int(odd.sum()))

    def _off(self, logs: Logs, compared: Comparison) -> tuple[str | None, bool]:
        """Why the file of these distinct animals is held, and whether one error explains it."""
        if len(logs[TARGET]) < MIN_ANIMALS or not compared.is_off:
            return None, False
        step = -(-len(logs[TARGET]) // _MAX_EXPLAINED)
        logs = {name: log[::step] for name, log in logs.items()}
        compared = self._comparison(logs)
        relation, shift = compared.worst
        found = f"{relation.target} is {np.exp(shift):.2f} times that of {relation.against}"
        most_odd = max(compared.odd.sum() // 2, MIN_ODD_ANIMALS - 1)
        for errors in (KNOWN_ERRORS, scalings(shift)):
            mended = [(self._comparison(each.undone(logs)), each.words) for each in errors]
            likely = [
                (after.excess, words)
                for after, words in mended
                if not after.is_off and after.odd.sum() <= most_odd
            ]
            if likely:
                return f"{found}, {min(likely)[1]}", True
        if not compared.many_odd:
            return found, False
        return (
            f"the measurements of {compared.odd.sum()} of {compared.odd.size} animals do not go "
            "together, as if part of the file were in another unit or column"
        ), False

    def _alike(self, logs: Logs, compared: Comparison) -> str | None:
        """Why a part of these distinct animals, or all of one or two, is off in the same way."""
        odd = compared.odd
        animals = odd.size
        # Of few animals a quarter, and of one or two all of them.
        least = min(MIN_ODD_ANIMALS, max(MAX_ODD_SHARE * animals, min(MIN_ALIKE_ANIMALS, animals)))
        many = max(MANY_ALIKE_ANIMALS, MANY_ALIKE_SHARE * animals)
        least = max(least, min(MIN_ALIKE_SHARE * animals, many), 1)
        if odd.sum() < least:
            return None
        logs = {name: log[odd] for name, log in logs.items()}
        errors = KNOWN_ERRORS if animals >= MIN_ANIMALS else UNIT_ERRORS
        mended = (
            (int(self._comparison(each.undone(logs)).usual.sum()), each.words) for each in errors
        )
        most, words = max(mended, key=lambda each: each[0])
        if most < least:
            return None
        return f"the measurements of {most} of {animals} animals do not go together, {words}"

    def _unrelated(self, logs: Logs) -> str | None:
        """Why the rings are not those of these distinct animals."""
        rings, animals = logs[TARGET], len(logs[TARGET])
        if animals < MIN_AGED_ANIMALS:
            return None
        if np.ptp(rings) == 0:
            return f"all {animals} animals have {np.exp(rings[0]):.0f} rings"
        expected = expected_of(RELATIONS[-1], self.fits[-1], logs)
        expected -= expected.mean()
        squares = max(float(expected @ expected), _MIN_SQUARES)
        slope = float(expected @ rings) / squares
        spread = float(np.std(rings - slope * expected, ddof=2))
        error = max(spread, self.fits[-1].deviation) / np.sqrt(squares)
        if slope + STANDARD_ERRORS * error >= MAX_UNRELATED_SLOPE:
            return None
        return (
            "larger animals do not have more rings, as if the rings were those of other rows, such "
            "as after one column alone was sorted"
        )

    def _comparison(self, logs: Logs) -> Comparison:
        off = [
            logs[relation.target] - expected_of(relation, fit, logs)
            for relation, fit in zip(RELATIONS, self.fits, strict=True)
        ]
        return Comparison(np.stack(off), np.array([[fit.deviation] for fit in self.fits]))


def _beyond(beyond: int, records: int) -> str | None:
    if beyond == records or beyond <= MAX_BEYOND_SHARE * max(records, MIN_RECORDS):
        return None
    return (
        f"{beyond} of {records} records are quarantined because values are out of range: the file "
        "is in another unit, so the rest of it is not believed either"
    )


def _distinct(logs: Logs) -> Logs:
    rows = np.unique(np.stack(list(logs.values())), axis=1)
    return dict(zip(logs, rows, strict=True))
