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
    from numpy.typing import ArrayLike, NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.synthesis.real_rows import RealRows
    from abalone_assets.synthesis.synthesizer import Synthesizer

NUMBERS: Final = (*survey.MEASUREMENTS, survey.TARGET)
MIN_SAMPLE_ROWS: Final = 2000
MAX_SAMPLE_ROWS: Final = 5000
NEAR_PERCENT: Final = 5.0
_CHUNK_ROWS: Final = 512
_SAMPLE_SEED: Final = 20_250_301


@dataclass(frozen=True)
class Fidelity:
    """How far rows are from real ones that they should resemble.

    Attributes:
        ks: Kolmogorov-Smirnov distance of each measurement and of the rings, 0 to 1.
        sex_tv: Total variation distance of the sexes, 0 to 1.
        correlation_difference: Mean absolute difference of the 28 correlations.
    """

    ks: dict[str, float]
    sex_tv: float
    correlation_difference: float

    @property
    def ks_mean(self) -> float:
        """Over the measurements and the rings."""
        return sum(self.ks.values()) / len(self.ks)

    @property
    def ks_worst(self) -> float:
        """Of the measurements and the rings."""
        return max(self.ks.values())


@dataclass(frozen=True)
class Quality:
    """What is known of a synthesizer's rows; the held-out real rows are the yardstick.

    Attributes:
        rows: Simulated rows that were looked at.
        fidelity: Of them.
        real_fidelity: Of the real rows that the synthesizer learnt from: what chance alone gives.
        rejected_share: Of the rows drawn, those that broke the contract and were drawn again.
        repaired_share: Clipped values per row drawn.
        copies: Rows that equal a real one.
        near_share: Share of the rows that are nearer to a row learnt from than all but
            `NEAR_PERCENT` percent of the held-out rows are; by chance, just that percentage.
        near_ratio: The `NEAR_PERCENT` percentile of the distance to the nearest row learnt from,
            over that of the held-out rows; 1 by chance, near 0 for rows learnt by heart.
        tstr_rmse: RMSE, in rings, on held-out real rows of a model trained on the simulated rows.
        trtr_rmse: The same, trained on the real rows.
    """

    rows: int
    fidelity: Fidelity
    real_fidelity: Fidelity
    rejected_share: float
    repaired_share: float
    copies: int
    near_share: float
    near_ratio: float
    tstr_rmse: float
    trtr_rmse: float

    @property
    def numbers(self) -> dict[str, float]:
        """What `THRESHOLDS` judge, and what is shown of it, by name.

        An ``excess`` is a distance beyond that of the real rows that were learnt from.
        """
        return {
            "ks_mean": self.fidelity.ks_mean,
            "ks_mean_excess": self.fidelity.ks_mean - self.real_fidelity.ks_mean,
            "ks_worst": self.fidelity.ks_worst,
            "ks_worst_excess": self.fidelity.ks_worst - self.real_fidelity.ks_worst,
            "sex_tv": self.fidelity.sex_tv,
            "sex_tv_excess": self.fidelity.sex_tv - self.real_fidelity.sex_tv,
            "correlation_difference": self.fidelity.correlation_difference,
            "correlation_excess": self.fidelity.correlation_difference
            - self.real_fidelity.correlation_difference,
            "rejected_share": self.rejected_share,
            "repaired_share": self.repaired_share,
            "copies": float(self.copies),
            "near_share": self.near_share,
            "near_ratio": self.near_ratio,
            "tstr_rmse": self.tstr_rmse,
            "trtr_rmse": self.trtr_rmse,
            "tstr_ratio": self.tstr_rmse / self.trtr_rmse,
        }


@dataclass(frozen=True)
class Threshold:
    """The bound of one of the numbers of a `Quality`.

    Attributes:
        number: Its name.
        side: Whether the bound is the most or the least that passes.
        bound: Itself.
        because: Why it is there.
    """

    number: str
    side: Literal["most", "least"]
    bound: float
    because: str

    def holds(self, quality: Quality) -> bool:
        """Whether the number is within the bound; one that is no number is not."""
        value = quality.numbers[self.number]
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
        f"{each.number} is {quality.numbers[each.number]:.3f}, at {each.side} {each.bound:g} passes"
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
    near = nearest(simulated.columns, real.fitted)
    real_near = nearest(real.held_out, real.fitted)
    reach = float(np.percentile(real_near, NEAR_PERCENT))
    return Quality(
        rows=simulated.rows,
        fidelity=fidelity(simulated.columns, real.held_out),
        real_fidelity=fidelity(real.fitted, real.held_out),
        rejected_share=simulated.rejected_share,
        repaired_share=simulated.repaired_share,
        copies=int(np.isin(row_keys(simulated.columns), row_keys(real.all)).sum()),
        near_share=float((near < reach).mean()),
        near_ratio=float(np.percentile(near, NEAR_PERCENT) / reach) if reach > 0 else 1.0,
        tstr_rmse=transfer_rmse(simulated.columns, real.held_out),
        trtr_rmse=transfer_rmse(real.fitted, real.held_out),
    )


def fidelity(columns: Columns, real: Columns) -> Fidelity:
    """How far rows are from real ones."""
    ks = {name: ks_distance(columns[name], real[name]) for name in NUMBERS}
    shares = np.array(
        [
            [np.mean(np.asarray(each["sex"]) == sex) for sex in survey.SEXES]
            for each in (columns, real)
        ]
    )
    return Fidelity(
        ks=ks,
        sex_tv=0.5 * float(np.abs(shares[0] - shares[1]).sum()),
        correlation_difference=_correlation_difference(columns, real),
    )


def ks_distance(left: ArrayLike, right: ArrayLike) -> float:
    """The greatest distance between two empirical distribution functions, 0 to 1."""
    first, second = (np.sort(np.asarray(each, dtype=np.float64)) for each in (left, right))
    places = np.concatenate([first, second])
    levels = [np.searchsorted(each, places, side="right") / each.size for each in (first, second)]
    return float(np.abs(levels[0] - levels[1]).max())


def nearest(columns: Columns, others: Columns) -> NDArray[np.float64]:
    """Distance ``(n,)`` of each animal to the nearest other one of its sex.

    Euclidean over the eight log ratios of `representation.RATIOS`, in standard deviations of the
    others; infinite where there is no other one of the sex.
    """
    places = standardised(columns, like=others)
    known = standardised(others, like=others)
    sexes, known_sexes = (np.asarray(each["sex"]).astype(str) for each in (columns, others))
    found = np.full(len(places), np.inf)
    for sex in survey.SEXES:
        candidates = known[known_sexes == sex]
        rows = np.flatnonzero(sexes == sex)
        for first in range(0, rows.size if len(candidates) else 0, _CHUNK_ROWS):
            chunk = rows[first : first + _CHUNK_ROWS]
            found[chunk] = _least_distance(places[chunk], candidates)
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
    return looks.ks_mean + looks.correlation_difference + useful


def _correlation_difference(columns: Columns, real: Columns) -> float:
    pairs = np.triu_indices(len(NUMBERS), 1)
    left, right = (correlations(each)[pairs] for each in (columns, real))
    return float(np.abs(left - right).mean())


def correlations(columns: Columns) -> NDArray[np.float64]:
    """Pearson's correlations of `NUMBERS`, ``(8, 8)``; 0 with a column that does not vary.

    Heights beyond 60 mm are left out: two of them hide the correlations of four thousand.
    """
    rows = plausible(columns)
    values = np.array([np.asarray(columns[name], dtype=np.float64)[rows] for name in NUMBERS])
    deviations = values - values.mean(axis=1, keepdims=True)
    scale = np.sqrt((deviations**2).sum(axis=1))
    outer = np.outer(scale, scale)
    products = deviations @ deviations.T
    return np.asarray(np.divide(products, outer, out=np.zeros_like(outer), where=outer > 0))


def _least_distance(
    places: NDArray[np.float64], candidates: NDArray[np.float64]
) -> NDArray[np.float64]:
    squares = (places**2).sum(axis=1)[:, np.newaxis] + (candidates**2).sum(axis=1)
    squares -= 2 * places @ candidates.T
    return np.asarray(np.sqrt(np.maximum(squares.min(axis=1), 0)))
