"""How good simulated animals are: as real ones look, as useful to learn from, and no copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.dataset import row_keys, target
from abalone_assets.modeling.scores import rmse
from abalone_assets.synthesis.contract import SimulatedRows, simulate
from abalone_assets.synthesis.representation import plausible, standardised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.synthesis.real_rows import RealRows
    from abalone_assets.synthesis.synthesizer import Synthesizer

NUMBERS: Final = (*survey.MEASUREMENTS, survey.TARGET)
MIN_SAMPLE_ROWS: Final = 2000
MAX_SAMPLE_ROWS: Final = 5000
NEAR_PERCENT: Final = 5.0
_SAMPLE_SEED: Final = 20_250_301

Quality = dict[str, float]
"""What is known of a synthesizer's rows, by name; the held-out real rows are the yardstick.

- ``ks_mean``, ``ks_worst``: Kolmogorov-Smirnov distances of the measurements and the rings, 0 to 1.
- ``sex_tv``: total variation distance of the sexes, 0 to 1.
- ``correlation_difference``: mean absolute difference of the 28 correlations.
- each of these with ``_excess``: beyond that of the real rows that were learnt from, which is what
  chance alone gives.
- ``rejected_share``: of the rows drawn, those that broke the contract and were drawn again.
- ``repaired_share``: clipped values per row drawn.
- ``copies``: rows that equal a real one.
- ``near_share``: share of the rows that are nearer to a row learnt from than all but `NEAR_PERCENT`
  percent of the held-out rows are; by chance, just that percentage.
- ``near_ratio``: the `NEAR_PERCENT` percentile of the distance to the nearest row learnt from, over
  that of the held-out rows; 1 by chance, near 0 for rows learnt by heart.
- ``tstr_rmse``: RMSE, in rings, on held-out real rows of a model trained on the simulated rows.
- ``trtr_rmse``: the same, trained on the real rows; ``tstr_ratio``: the one over the other.
"""


@dataclass(frozen=True)
class Threshold:
    """The bound of one of the numbers of a `Quality`: the most or the least that passes."""

    number: str
    side: Literal["most", "least"]
    bound: float
    because: str

    def holds(self, quality: Quality) -> bool:
        """Whether the number is within the bound; one that is no number is not."""
        value = quality[self.number]
        return value <= self.bound if self.side == "most" else value >= self.bound


THRESHOLDS: Final = (
    Threshold(
        "ks_mean_excess",
        "most",
        0.06,
        "margins near what chance gives real rows; a CTGAN on the raw columns is .07 away",
    ),
    Threshold("ks_worst_excess", "most", 0.15, "no margin is given up for the mean of all"),
    Threshold("sex_tv_excess", "most", 0.08, "sexes in the shares that crews find them in"),
    Threshold("correlation_excess", "most", 0.05, "a CTGAN on the raw columns is .26 away"),
    Threshold(
        "rejected_share", "most", 0.2, "a filter that discards more reshapes what it lets pass"
    ),
    Threshold("repaired_share", "most", 0.02, "clipped values pile up at the instruments' ends"),
    Threshold("copies", "most", 0, "a copy is no simulation"),
    Threshold("near_share", "most", 0.15, "three times what chance gives: rows learnt by heart"),
    Threshold("near_ratio", "least", 0.5, "half of what chance gives: rows learnt by heart"),
    Threshold("tstr_ratio", "most", 1.1, "a model that learns from it is nearly as good"),
)
"""What a synthesizer's rows must meet before they land."""


def broken_thresholds(quality: Quality) -> list[str]:
    """What is wrong, a sentence each; nothing when the rows may land."""
    return [
        f"{each.number} is {quality[each.number]:.3f}, at {each.side} {each.bound:g} passes"
        f" ({each.because})"
        for each in THRESHOLDS
        if not each.holds(quality)
    ]


def assess_synthesizer(synthesizer: Synthesizer, real: RealRows) -> tuple[SimulatedRows, Quality]:
    """Draw a big sample, the same for the same synthesizer and rows, and measure it.

    Its size is that of the rows that were learnt from, within `MIN_SAMPLE_ROWS` and
    `MAX_SAMPLE_ROWS`: a survey of 200 rows could not be told from a bad one.

    Raises:
        SynthesisError: Too few of the rows drawn obey the survey contract.
    """
    rows = int(np.clip(len(real.fitted["sex"]), MIN_SAMPLE_ROWS, MAX_SAMPLE_ROWS))
    sample = simulate(synthesizer, rows, np.random.default_rng(_SAMPLE_SEED), real.all)
    return sample, assess(sample, real)


def assess(simulated: SimulatedRows, real: RealRows) -> Quality:
    """Measure simulated rows against the held-out real rows.

    Training on synthetic, testing on real is the protocol of Esteban, Hyland and Raetsch,
    *Real-valued (medical) time series generation with recurrent conditional GANs* (2017).
    """
    looks = fidelity(simulated.columns, real.held_out)
    by_chance = fidelity(real.fitted, real.held_out)
    quality: Quality = {}
    for name, distance in looks.items():
        quality[name] = distance
        quality[f"{name.removesuffix('_difference')}_excess"] = distance - by_chance[name]
    near = nearest(simulated.columns, real.fitted)
    reach = float(np.percentile(nearest(real.held_out, real.fitted), NEAR_PERCENT))
    tstr_rmse = transfer_rmse(simulated.columns, real.held_out)
    trtr_rmse = transfer_rmse(real.fitted, real.held_out)
    return quality | {
        "rejected_share": simulated.rejected_share,
        "repaired_share": simulated.repaired_share,
        "copies": float(np.isin(row_keys(simulated.columns), row_keys(real.all)).sum()),
        "near_share": float((near < reach).mean()),
        "near_ratio": float(np.percentile(near, NEAR_PERCENT) / reach) if reach > 0 else 1.0,
        "tstr_rmse": tstr_rmse,
        "trtr_rmse": trtr_rmse,
        "tstr_ratio": tstr_rmse / trtr_rmse,
    }


def fidelity(columns: Columns, real: Columns) -> Quality:
    """How far rows are from real ones that they should resemble: the four distances."""
    from scipy.stats import ks_2samp

    ks = [ks_2samp(columns[name], real[name], method="asymp").statistic for name in NUMBERS]
    shares = [
        np.array([np.mean(np.asarray(each["sex"]) == sex) for sex in survey.SEXES])
        for each in (columns, real)
    ]
    pairs = np.triu_indices(len(NUMBERS), 1)
    difference = np.abs(correlations(columns) - correlations(real))[pairs]
    return {
        "ks_mean": float(np.mean(ks)),
        "ks_worst": float(max(ks)),
        "sex_tv": 0.5 * float(np.abs(shares[0] - shares[1]).sum()),
        "correlation_difference": float(difference.mean()),
    }


def nearest(columns: Columns, others: Columns) -> NDArray[np.float64]:
    """Distance ``(n,)`` of each animal to the nearest other one of its sex.

    Euclidean over the eight log ratios of `representation.RATIOS`, in standard deviations of the
    others; infinite where there is no other one of the sex.
    """
    from scipy.spatial import cKDTree

    places = standardised(columns, like=others)
    known = standardised(others, like=others)
    sexes, known_sexes = (np.asarray(each["sex"]).astype(str) for each in (columns, others))
    found = np.full(len(places), np.inf)
    for sex in survey.SEXES:
        rows, candidates = sexes == sex, known[known_sexes == sex]
        if len(candidates):
            found[rows], _ = cKDTree(candidates).query(places[rows])
    return found


def transfer_rmse(train: Columns, test: Columns) -> float:
    """RMSE, in rings, on one set of rows of boosted trees trained on another."""
    from abalone_assets.modeling.models.model import predict_rings
    from abalone_assets.modeling.training.learners import learner_of

    model = learner_of("xgboost", {})(train, np.ones(len(train["sex"])))
    return rmse(predict_rings(model, test), target(test))


def fit_score(columns: Columns, fitted: Columns) -> float:
    """How far rows are from those that their synthesizer learnt from; the lower the better.

    The sum of three distances without a unit: mean KS distance, correlation difference, and the
    RMSE of a model trained on the rows in standard deviations of the rings. It chooses among seeds,
    so the held-out rows have no part in it.
    """
    looks = fidelity(columns, fitted)
    spread = float(np.std(target(fitted)))
    useful = transfer_rmse(columns, fitted) / spread if spread else 0.0
    return looks["ks_mean"] + looks["correlation_difference"] + useful


def correlations(columns: Columns) -> NDArray[np.float64]:
    """Pearson's correlations of `NUMBERS`, ``(8, 8)``; 0 with a column that does not vary.

    Heights beyond 60 mm are left out: two of them hide the correlations of four thousand.
    """
    rows = plausible(columns)
    values = np.array([np.asarray(columns[name], dtype=np.float64)[rows] for name in NUMBERS])
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num(np.corrcoef(values)))
