"""Animals as unconstrained numbers, and back: log ratios, normal scores, whitened per sex.

Sizes and weights of an abalone are bound to each other: a diameter is about 0.8 of the length, a
weight grows with the volume. A generator that has to learn these bounds from the raw columns breaks
them in half of its rows. Here they are built in, in three invertible steps:

1. Readings are dequantised: spread evenly over the step of the instrument that rounded them.
2. Each animal becomes eight numbers (`RATIOS`): the logarithms of its length, of five ratios
   between its measurements and of its density, and of its rings.
3. Per sex, each number is replaced by its normal score, and the scores are whitened by the Cholesky
   factor of their correlations. Independent standard normal numbers are then a Gaussian copula with
   the empirical margins (Nelsen, *An Introduction to Copulas*, 2006, section 2.3), and whatever a
   generator adds to that is what the copula lacks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.features import MAX_PLAUSIBLE_HEIGHT
from abalone_assets.synthesis import SynthesisError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

LENGTH_STEP: Final = 0.005
"""The callipers read to 1 mm, in the file's unit of 200 mm."""

WEIGHT_STEP: Final = 0.0005
"""The scales read to 0.1 g, in the file's unit of 200 g."""

STEPS: Final[Mapping[str, float]] = {
    name: WEIGHT_STEP if name.endswith("weight") else LENGTH_STEP for name in survey.MEASUREMENTS
}
"""The step of the instrument of each measurement, in the file's units."""

RATIOS: Final = (
    "log_length",
    "log_roundness",
    "log_tallness",
    "log_density",
    "log_shucked_share",
    "log_viscera_share",
    "log_shell_share",
    "log_rings",
)
"""What each of the eight numbers is; see `modeling.features` for the formulas of these names."""

PARTS: Final = ("shucked_weight", "viscera_weight", "shell_weight")
MIN_ROWS_PER_SEX: Final = 30
"""Fewer cannot tell eight margins and 28 correlations."""

MAX_QUANTILES: Final = 1000
_SHRINKAGE: Final = 1e-6  # of the correlations towards 0, so that a constant column has a factor


@dataclass(frozen=True)
class Representation:
    """How animals of each sex map to whitened normal scores.

    Attributes:
        sexes: The ``s`` sexes that occur, in the order of ``survey.SEXES``.
        shares: Their shares of the rows, ``(s,)``.
        quantiles: The margins: ``k`` quantiles of each of the eight `RATIOS`, ``(s, k, 8)``.
        factors: Cholesky factors of the correlations of their normal scores, ``(s, 8, 8)``.
        scores: The scores that stand for these quantiles, ``(s, k, 8)``: those of the normal
            distribution, or of what a generator draws in its stead; see `calibrated`.
    """

    sexes: tuple[str, ...]
    shares: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    factors: NDArray[np.float64]
    scores: NDArray[np.float64]

    def encode(
        self, columns: Columns, rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Index of the sex ``(n,)`` and whitened scores ``(n, 8)`` of ``n`` animals."""
        ratios = _ratios(_dequantised(columns, rng))
        sexes = _sex_index(columns["sex"], self.sexes)
        white = np.empty_like(ratios)
        for index in range(len(self.sexes)):
            rows = sexes == index
            scores = _interpolated(ratios[rows], self.quantiles[index], self.scores[index])
            white[rows] = np.linalg.solve(self.factors[index], scores.T).T
        return sexes, white

    def decode(self, sexes: NDArray[np.intp], white: NDArray[np.float64]) -> dict[str, Any]:
        """The nine survey columns that whitened scores stand for, not yet read off instruments."""
        ratios = np.empty_like(white)
        for index in range(len(self.sexes)):
            rows = sexes == index
            ratios[rows] = _interpolated(
                white[rows] @ self.factors[index].T, self.scores[index], self.quantiles[index]
            )
        return _columns(np.asarray(self.sexes, dtype=object)[sexes], ratios)

    def calibrated(self, sexes: NDArray[np.intp], white: NDArray[np.float64]) -> Representation:
        """The same with the margins of a generator's scores in the place of normal ones.

        What the generator draws has the real margins then, however far its own are off; the
        dependence between the scores is its own still.

        Args:
            sexes: Index of the sex of many rows that the generator drew, ``(n,)``.
            white: Their whitened scores, ``(n, 8)``.
        """
        levels = _levels(self.quantiles.shape[1])
        scores = self.scores.copy()
        for index in range(len(self.sexes)):
            drawn = white[sexes == index] @ self.factors[index].T
            if len(drawn) >= MIN_ROWS_PER_SEX:
                scores[index] = np.quantile(drawn, levels, axis=0)
        return replace(self, scores=scores)


def represent(columns: Columns, rng: np.random.Generator) -> Representation:
    """Learn the representation of real animals; see `plausible` for rows to leave out before.

    Args:
        columns: The nine survey columns.
        rng: Spreads readings over their instrument's step.

    Raises:
        SynthesisError: A sex occurs in fewer than `MIN_ROWS_PER_SEX` rows, or there are no rows.
    """
    found = np.asarray(columns["sex"]).astype(str)
    counts = {sex: int((found == sex).sum()) for sex in survey.SEXES}
    scarce = [
        f"{count} of sex {sex}" for sex, count in counts.items() if 0 < count < MIN_ROWS_PER_SEX
    ]
    if scarce or not any(counts.values()):
        raise SynthesisError(
            f"too few animals to simulate from: {', '.join(scarce) or 'none'}; at least "
            f"{MIN_ROWS_PER_SEX} of each sex that occurs are needed"
        )
    sexes = tuple(sex for sex, count in counts.items() if count)
    ratios = _ratios(_dequantised(columns, rng))
    size = min(MAX_QUANTILES, *(counts[sex] for sex in sexes))
    quantiles = np.stack(
        [np.quantile(ratios[found == sex], _levels(size), axis=0) for sex in sexes]
    )
    scores = np.tile(_normal_quantiles(size)[:, np.newaxis], (len(sexes), 1, len(RATIOS)))
    factors = [
        _factor(_interpolated(ratios[found == sex], quantiles[index], scores[index]))
        for index, sex in enumerate(sexes)
    ]
    shares = np.array([counts[sex] for sex in sexes], dtype=np.float64)
    return Representation(sexes, shares / shares.sum(), quantiles, np.stack(factors), scores)


def plausible(columns: Columns) -> NDArray[np.bool_]:
    """The rows to learn from: a height beyond 60 mm is a slip of the pen, and would be learnt."""
    return np.asarray(columns["height"], dtype=np.float64) <= MAX_PLAUSIBLE_HEIGHT


def standardised(columns: Columns, like: Columns) -> NDArray[np.float64]:
    """The eight `RATIOS` of ``n`` animals, ``(n, 8)``, in standard deviations of other animals.

    Args:
        columns: The nine survey columns.
        like: Animals whose mean is 0 and whose standard deviation is 1.
    """
    reference = _ratios(like)
    spread = reference.std(axis=0)
    return np.asarray((_ratios(columns) - reference.mean(axis=0)) / np.where(spread, spread, 1.0))


def _dequantised(columns: Columns, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    spread = {}
    for name, step in {**STEPS, survey.TARGET: 1.0}.items():
        values = np.asarray(columns[name], dtype=np.float64)
        # Never by more than half of the value itself: a logarithm is taken of it.
        spread[name] = values + rng.uniform(-0.5, 0.5, values.size) * np.minimum(step, values)
    return spread


def _ratios(columns: Columns) -> NDArray[np.float64]:
    log = {
        name: np.log(np.asarray(columns[name], dtype=np.float64))
        for name in (*survey.MEASUREMENTS, survey.TARGET)
    }
    box = log["length"] + log["diameter"] + log["height"]
    shares = [log[part] - log["whole_weight"] for part in PARTS]
    return np.column_stack(
        [
            log["length"],
            log["diameter"] - log["length"],
            log["height"] - log["length"],
            log["whole_weight"] - box,
            *shares,
            log[survey.TARGET],
        ]
    )


def _columns(sexes: NDArray[Any], ratios: NDArray[np.float64]) -> dict[str, Any]:
    length, roundness, tallness, density, *shares, rings = np.exp(ratios.T)
    diameter, height = length * roundness, length * tallness
    whole = density * length * diameter * height
    parts = {name: whole * share for name, share in zip(PARTS, shares, strict=True)}
    return {
        "sex": sexes,
        "length": length,
        "diameter": diameter,
        "height": height,
        "whole_weight": whole,
        **parts,
        "rings": rings,
    }


def _sex_index(column: object, sexes: tuple[str, ...]) -> NDArray[np.intp]:
    found = np.asarray(column).astype(str)
    if not np.isin(found, sexes).all():
        raise SynthesisError(f"sexes other than {', '.join(sexes)}: learn the representation anew")
    return np.asarray(np.argmax(found[:, np.newaxis] == np.asarray(sexes), axis=1))


def _interpolated(
    values: NDArray[np.float64], known: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values ``(n, 8)`` from one scale to another, linear between known points ``(k, 8)`` of both.

    What is beyond the points becomes their end.
    """
    columns = zip(values.T, known.T, wanted.T, strict=True)
    return np.column_stack([np.interp(*column) for column in columns])


def _levels(size: int) -> NDArray[np.float64]:
    """The probabilities of so many quantiles, which leave half a step at either end."""
    return (np.arange(size) + 0.5) / size


def _normal_quantiles(size: int) -> NDArray[np.float64]:
    return np.array([NormalDist().inv_cdf(level) for level in _levels(size)])


def _factor(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    deviations = scores - scores.mean(axis=0)
    covariance = deviations.T @ deviations / len(scores)
    scale = np.sqrt(np.maximum(np.diag(covariance), _SHRINKAGE))
    correlations = covariance / np.outer(scale, scale)
    return np.linalg.cholesky((1 - _SHRINKAGE) * correlations + _SHRINKAGE * np.eye(len(scale)))
