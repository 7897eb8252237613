"""What a model knows of animals: which it learnt from, and how far off it is, by the age it told.

Its card keeps this, so whoever shows an answer can say where the animal stands among known ones and
when the answer is not to be trusted, with the model at hand and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.scores import rmse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

BANDS: Final = (0.0, 7.0, 9.0, 11.0, 13.0, 16.0, math.inf)
"""Predicted rings between which errors are told apart; two thirds of UCI's animals are 7 to 11."""

MIN_ROWS: Final = 30
"""The RMSE of fewer animals varies by a seventh and more, so nothing is told of them."""

Range = tuple[float, float]


@dataclass(frozen=True)
class BandError:
    """How far off a recipe was for the animals that it took to be of about one age.

    Attributes:
        low: The fewest rings that it predicted for them.
        high: What all of these predictions are below.
        rows: How many animals.
        rmse: In rings.
    """

    low: float
    high: float
    rows: int
    rmse: float


@dataclass(frozen=True)
class KnownAnimals:
    """What a model knows of animals.

    Attributes:
        ranges: For each sex that it learnt from the least and the largest value of each
            measurement, in the survey's units.
        rings: For each of these sexes how many animals had 1, 2, … rings.
        errors: By predicted rings; without the bands of too few animals.
    """

    ranges: Mapping[str, Mapping[str, Range]]
    rings: Mapping[str, tuple[int, ...]]
    errors: tuple[BandError, ...] = ()

    @classmethod
    def of(
        cls, columns: Columns, predicted: NDArray[np.float64], actual: NDArray[np.float64]
    ) -> KnownAnimals:
        """What animals say.

        Args:
            columns: Those that the model learnt from: the nine survey columns.
            predicted: Rings of animals that had not been learnt from, ``(n,)``.
            actual: Their counted rings.
        """
        sexes = np.asarray(columns["sex"], dtype=object)
        rings = np.asarray(columns[survey.TARGET], dtype=np.int64)
        own = {sex: sexes == sex for sex in survey.SEXES if (sexes == sex).any()}
        return cls(
            {
                sex: {name: _range(np.asarray(columns[name])[mask]) for name in survey.MEASUREMENTS}
                for sex, mask in own.items()
            },
            {sex: tuple(np.bincount(rings[mask])[1:].tolist()) for sex, mask in own.items()},
            tuple(_errors(predicted, actual)),
        )

    def error_at(self, rings: float) -> BandError | None:
        """How far off the recipe was for animals that it predicted about as many rings for."""
        return next((each for each in self.errors if each.low <= rings < each.high), None)

    def document(self) -> dict[str, Any]:
        """As the model card keeps it; the last band has no ``high``."""
        return {
            "ranges": {sex: _lists(ranges) for sex, ranges in self.ranges.items()},
            "rings": {sex: list(counts) for sex, counts in self.rings.items()},
            "errors": [
                {
                    "low": each.low,
                    "high": each.high if math.isfinite(each.high) else None,
                    "rows": each.rows,
                    "rmse": each.rmse,
                }
                for each in self.errors
            ],
        }

    @classmethod
    def from_document(cls, document: Any) -> KnownAnimals:  # noqa: ANN401 - what the card held
        """What `document` told.

        Raises:
            ModelArchiveError: It tells nothing of the kind.
        """
        try:
            return cls(
                {
                    sex: {name: (float(low), float(high)) for name, (low, high) in ranges.items()}
                    for sex, ranges in document["ranges"].items()
                },
                {sex: tuple(map(int, counts)) for sex, counts in document["rings"].items()},
                tuple(
                    BandError(
                        float(each["low"]),
                        math.inf if each["high"] is None else float(each["high"]),
                        int(each["rows"]),
                        float(each["rmse"]),
                    )
                    for each in document["errors"]
                ),
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            message = f"the model card tells nothing of the animals it knows: {error!r}"
            raise ModelArchiveError(message) from error


def _range(values: NDArray[Any]) -> Range:
    return float(values.min()), float(values.max())


def _lists(ranges: Mapping[str, Range]) -> dict[str, list[float]]:
    return {name: list(each) for name, each in ranges.items()}


def _errors(predicted: NDArray[np.float64], actual: NDArray[np.float64]) -> list[BandError]:
    errors = []
    for low, high in pairwise(BANDS):
        own = (predicted >= low) & (predicted < high)
        if own.sum() >= MIN_ROWS:
            errors.append(BandError(low, high, int(own.sum()), rmse(predicted[own], actual[own])))
    return errors
