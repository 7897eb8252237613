"""Whether requests still look like what the model learnt from.

Measurements and predictions are compared by the two-sample Kolmogorov-Smirnov test, the sexes by
the chi-squared test. With enough animals such a test finds differences that do not matter, so a
feature has drifted only when the population stability index says that it moved by much, too::

    PSI = sum over bins of (a - e) * ln(a / e)

with the shares ``e`` of the reference and ``a`` of the requests in ten bins that hold a tenth of
the reference each; 0.1 counts as a moderate shift and 0.25 as a large one (N. Siddiqi, *Credit Risk
Scorecards*, 2006, chapter 9). Of samples of ``n`` and ``m`` animals from one population it is
``(bins - 1) * (1 / n + 1 / m)`` on average (B. Yurdakul, *Statistical Properties of Population
Stability Index*, 2018), which is taken off.

There are nine comparisons a look and a look a day. By Bonferroni's inequality the level of each
test makes one false alarm in twenty years at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.survey import MEASUREMENTS, SEXES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MODERATE_PSI: Final = 0.1
BINS: Final = 10
MIN_ANIMALS: Final = 30
"""Fewer say nothing."""

FALSE_ALARMS_A_YEAR: Final = 0.05
LOOKS_A_YEAR: Final = 365
COMPARISONS: Final = len(MEASUREMENTS) + 2  # and the sex, and the prediction
LEVEL: Final = FALSE_ALARMS_A_YEAR / LOOKS_A_YEAR / COMPARISONS

PREDICTION: Final = "prediction"
"""What the predicted rings are called beside the features."""

_SHARE_DECIMALS: Final = 4
_HALF: Final = 0.5
"""Animals added to each bin, so that an empty one has a logarithm."""


@dataclass(frozen=True)
class FeatureDrift:
    """How one feature, or the prediction, of the requests compares with the reference.

    Attributes:
        feature: Its name.
        test: The test's name.
        statistic: Its statistic: the largest distance of the two distribution functions, or
            chi-squared.
        p_value: How likely that much or more is, were both from one population.
        psi: Population stability index, without what chance adds on average; at least 0.
        drifted: Whether both say so.
        reference: Mean of the reference; of the sex, the share of infants.
        requests: The same of the requests.
        bins: Share of the requests in each tenth of the reference, by size, some joined where many
            animals have one value; of the sex, of each sex.
        expected: The reference's own shares.
    """

    feature: str
    test: str
    statistic: float
    p_value: float
    psi: float
    drifted: bool
    reference: float
    requests: float
    bins: tuple[float, ...]
    expected: tuple[float, ...]


@dataclass(frozen=True)
class Reference:
    """What requests are compared with.

    Attributes:
        columns: Sex and measurements of the training split's animals, ``n`` values each.
        predicted: Rings that the live model's recipe predicts for animals that it has not learnt
            from, ``(k,)``; empty when the model does not tell.
    """

    columns: Mapping[str, NDArray[Any]]
    predicted: NDArray[np.float64]

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The smallest and the largest value of each measurement."""
        return {
            name: (float(self.columns[name].min()), float(self.columns[name].max()))
            for name in MEASUREMENTS
        }

    def outside(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Which animals have a measurement that no training animal reached, ``(m,)``."""
        beyond = [
            (np.asarray(columns[name]) < low) | (np.asarray(columns[name]) > high)
            for name, (low, high) in self.ranges.items()
        ]
        return np.asarray(np.any(beyond, axis=0), dtype=np.bool_)


def compare(
    reference: Reference, columns: Mapping[str, NDArray[Any]], predicted: NDArray[np.float64]
) -> list[FeatureDrift]:
    """Compare animals that the endpoint was asked about with the reference.

    Args:
        reference: At least one animal.
        columns: Sex and measurements of ``m`` animals, each counted once.
        predicted: Their predicted rings, ``(m,)``.

    Returns:
        One for each feature, then one for the prediction if the reference has any; none at all for
        fewer than `MIN_ANIMALS`.
    """
    if predicted.size < MIN_ANIMALS:
        return []
    found = [
        _sexes(reference.columns["sex"], columns["sex"]),
        *(_numbers(name, reference.columns[name], columns[name]) for name in MEASUREMENTS),
    ]
    if reference.predicted.size:
        found.append(_numbers(PREDICTION, reference.predicted, predicted))
    return found


def _numbers(feature: str, reference: NDArray[Any], requests: NDArray[Any]) -> FeatureDrift:
    from scipy.stats import ks_2samp

    expected, actual = (np.asarray(each, dtype=np.float64) for each in (reference, requests))
    test = ks_2samp(expected, actual, method="asymp")
    inner = np.unique(np.quantile(expected, np.linspace(0, 1, BINS + 1)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(inner, each, side="left"), minlength=inner.size + 1)
        for each in (expected, actual)
    ]
    return _drift(
        feature,
        "Kolmogorov-Smirnov",
        (float(test.statistic), float(test.pvalue)),
        counts,
        (float(expected.mean()), float(actual.mean())),
    )


def _sexes(reference: NDArray[Any], requests: NDArray[Any]) -> FeatureDrift:
    from scipy.stats import chi2_contingency

    counts = [
        np.array([np.count_nonzero(np.asarray(each) == sex) for sex in SEXES])
        for each in (reference, requests)
    ]
    table = np.array(counts)
    test = chi2_contingency(table[:, table.sum(axis=0) > 0])
    infants = [each[SEXES.index("I")] / each.sum() for each in counts]
    return _drift(
        "sex",
        "chi-squared",
        (float(test.statistic), float(test.pvalue)),
        counts,
        (float(infants[0]), float(infants[1])),
    )


def _drift(
    feature: str,
    test: str,
    result: tuple[float, float],
    counts: list[NDArray[np.int64]],
    means: tuple[float, float],
) -> FeatureDrift:
    psi = population_stability_index(*counts)
    statistic, p_value = result
    drifted = p_value < LEVEL and psi >= MODERATE_PSI
    expected, bins = (tuple((each / each.sum()).round(_SHARE_DECIMALS).tolist()) for each in counts)
    return FeatureDrift(feature, test, statistic, p_value, psi, drifted, *means, bins, expected)


def population_stability_index(expected: NDArray[np.int64], actual: NDArray[np.int64]) -> float:
    """PSI of two samples' counts in the same bins, less what chance adds on average; at least 0."""
    shares = [(each + _HALF) / (each.sum() + _HALF * each.size) for each in (expected, actual)]
    raw = float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    chance = (expected.size - 1) * (1 / expected.sum() + 1 / actual.sum())
    return max(0.0, raw - float(chance))
