"""Prediction intervals that hold the counted rings of nine in ten animals, per sex.

Split conformal prediction: the model's errors on rows it has not learnt from, as ratios of counted
to predicted rings, say how far to either side of a prediction the truth may lie. It asks nothing of
the model or of the errors' distribution but that new animals come from where these rows came from
(Vovk, Gammerman and Shafer, *Algorithmic Learning in a Random World*, 2005, chapters 2 and 4; the
ratios per sex are their Mondrian categories).

This module needs NumPy only and travels inside every model archive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.errors import ModelArchiveError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from abalone_assets.modeling.features import Columns

COVERAGE: Final = 0.9
"""The share of animals whose rings an interval is to hold."""

MIN_ROWS: Final = 20
"""With fewer, the largest error of all would have to stand for the outermost twentieth."""

MIN_SEX_ROWS: Final = 40
"""A sex with fewer takes the intervals of all rows."""

LEAST_RINGS: Final = 1.0
"""Stands for smaller predictions: a network may answer nought or less, to which is no ratio."""


@dataclass(frozen=True)
class Intervals:
    """How far around its predictions a model's truth lies.

    Attributes:
        coverage: The share of animals that the intervals hold.
        log_ratios: By sex, the least and the largest ``ln(counted / predicted)`` within them.
    """

    coverage: float
    log_ratios: Mapping[str, tuple[float, float]]

    @classmethod
    def calibrate(
        cls, predicted: NDArray[np.float64], columns: Columns, coverage: float = COVERAGE
    ) -> Intervals | None:
        """The intervals that rows outside the training ask for.

        Args:
            predicted: Rings predicted for the rows, ``(n,)``.
            columns: At least ``sex`` and ``rings`` of the same rows.
            coverage: The share wanted; what is left over is cut off evenly at both ends.

        Returns:
            None with fewer than `MIN_ROWS` rows, which tell too little of the ends.
        """
        sexes = np.asarray(columns["sex"], dtype=object)
        if sexes.size < MIN_ROWS:
            return None
        rings = np.asarray(columns[survey.TARGET], dtype=np.float64)
        scores = np.log(rings / np.maximum(predicted, LEAST_RINGS))
        ratios = {}
        for sex in survey.SEXES:
            own = sexes == sex
            chosen = scores[own] if own.sum() >= MIN_SEX_ROWS else scores
            ratios[sex] = _ends(chosen, (1 - coverage) / 2)
        return cls(coverage, ratios)

    def around(
        self, rings: ArrayLike, sex: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The interval around each prediction: its lower and its upper end, ``(n,)`` in rings.

        Args:
            rings: Predicted rings, ``(n,)``.
            sex: Of the same animals, each one of M, F and I.
        """
        ratios = np.asarray([self.log_ratios[each] for each in np.asarray(sex, dtype=object)])
        centre = np.maximum(np.asarray(rings, dtype=np.float64), LEAST_RINGS)
        ends = centre[:, np.newaxis] * np.exp(ratios.reshape(-1, 2))
        return ends[:, 0], ends[:, 1]

    def document(self) -> dict[str, Any]:
        """As the model card keeps it."""
        return {
            "coverage": self.coverage,
            "log_ratios": {sex: list(ends) for sex, ends in self.log_ratios.items()},
        }

    @classmethod
    def from_document(cls, document: Any) -> Intervals:  # noqa: ANN401 - what the card held
        """The intervals that `document` described.

        Raises:
            ModelArchiveError: It describes none.
        """
        try:
            pairs = {sex: document["log_ratios"][sex] for sex in survey.SEXES}
            ratios = {sex: (float(low), float(high)) for sex, (low, high) in pairs.items()}
            intervals = cls(float(document["coverage"]), ratios)
        except (LookupError, TypeError, ValueError) as error:
            raise ModelArchiveError(f"the model card holds no intervals: {error!r}") from error
        if not all(math.isfinite(low) and low <= high < math.inf for low, high in ratios.values()):
            raise ModelArchiveError(f"the model card's intervals are none: {document}")
        return intervals


def _ends(scores: NDArray[np.float64], tail: float) -> tuple[float, float]:
    """The scores between which all but a tail at either end lie, of one more row as well."""
    ranked = np.sort(scores)
    last = min(math.ceil((ranked.size + 1) * (1 - tail)), ranked.size) - 1
    return float(ranked[ranked.size - 1 - last]), float(ranked[last])
