"""What a study proposes: its best hyperparameters, and what they would gain over today's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.modeling.dataset import target
from abalone_assets.modeling.evaluation.paired import paired_comparisons
from abalone_assets.modeling.hyperparameters import BlendHyperparameters
from abalone_assets.modeling.scores import rmse
from abalone_assets.search.spaces import part_learner, searched_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abalone_assets.modeling.hyperparameters import CommonHyperparameters, SearchedFramework
    from abalone_assets.search.sample import Sample
    from abalone_assets.search.spaces import Part

    PartHyperparameters = Mapping[Part, Mapping[str, float | int]]

SHARES: Final = tuple(round(0.05 * step, 2) for step in range(21))
"""Of the booster in a blend, as tried."""


@dataclass(frozen=True)
class Proposal:
    """New hyperparameters beside today's; errors in rings on the surveyed training rows.

    Both are scored on folds that neither the search nor the gate uses, so that the proposal does
    not profit from the folds it was chosen by. It was still chosen by the same animals: ``low`` and
    ``high`` are an interval after selection, which favours the proposal and covers less often than
    it says. Only animals that the search has not seen can confirm a gain.

    Attributes:
        framework: Whose.
        hyperparameters: The proposed ones, by name; the rest stay as they are.
        rmse: Theirs.
        current_rmse: Of what releases train with today, on the same rows.
        difference: ``rmse - current_rmse``, below 0 when the proposal is better.
        low: 5 % quantile of the difference, by a bootstrap of the rows in pairs.
        high: Its 95 % quantile.
        recommended: Whether the gain is beyond chance (``high`` is below 0): else today's
            stay, for a change that gains nothing costs comparability.
    """

    framework: SearchedFramework
    hyperparameters: Mapping[str, float | int]
    rmse: float
    current_rmse: float
    difference: float
    low: float
    high: float
    recommended: bool

    def verdict(self) -> str:
        """One sentence for people."""
        gain = (
            f"RMSE {self.rmse:.4f} against {self.current_rmse:.4f} of today's, a difference of "
            f"{self.difference:+.4f} rings (90 % interval {self.low:+.4f} to {self.high:+.4f})"
        )
        if self.recommended:
            return f"New hyperparameters are recommended: {gain}."
        return f"Keep today's hyperparameters, the gain is not beyond chance: {gain}."


def propose(
    framework: SearchedFramework,
    best: PartHyperparameters,
    today: CommonHyperparameters,
    sample: Sample,
) -> Proposal:
    """Compare the best hyperparameters of each part with today's, paired by row.

    A blend's share is chosen first, on the folds of the search.
    """
    current: PartHyperparameters = {part: searched_of(today, part) for part in best}
    chosen = {name: value for part in best.values() for name, value in part.items()}
    share = current_share = 1.0
    if isinstance(today, BlendHyperparameters):
        current_share = today.booster_share
        share = _best_share(_predictions(best, today, sample), current_share, sample)
        chosen["booster_share"] = share
    unused = sample.refolded()
    proposed = _blended(_predictions(best, today, unused), share)
    trained_today = _blended(_predictions(current, today, unused), current_share)
    scored = unused.surveyed
    compared = paired_comparisons(
        unused.squared_errors(proposed),
        unused.squared_errors(trained_today),
        {"surveyed": np.ones(int(scored.sum()), dtype=bool)},
    )["surveyed"]
    return Proposal(
        framework=framework,
        hyperparameters=chosen,
        rmse=compared["rmse"],
        current_rmse=compared["champion_rmse"],
        difference=compared["difference"],
        low=compared["low"],
        high=compared["high"],
        recommended=compared["high"] < 0,
    )


def _predictions(
    chosen: PartHyperparameters, today: CommonHyperparameters, sample: Sample
) -> dict[Part, NDArray[np.float64]]:
    """Rings that each part predicts for the rows that it has not learnt from."""
    return {
        part: sample.predictions(part_learner(part, values, today))
        for part, values in chosen.items()
    }


def _blended(predicted: Mapping[Part, NDArray[np.float64]], share: float) -> NDArray[np.float64]:
    if len(predicted) == 1:
        return next(iter(predicted.values()))
    return share * predicted["booster"] + (1 - share) * predicted["kernel"]


def _best_share(
    predicted: Mapping[Part, NDArray[np.float64]], current: float, sample: Sample
) -> float:
    """The booster's share of the least error; of several, the one nearest to today's."""
    scored = sample.surveyed
    actual: Any = target(sample.columns)[scored]
    return min(
        (*SHARES, current),
        key=lambda share: (
            rmse(_blended(predicted, share)[scored], actual),
            abs(share - current),
        ),
    )
