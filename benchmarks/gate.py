"""What the gate does to challengers whose worth is known, beside comparing two point estimates.

Nobody knows how good a real model truly is, so the errors of champion and challenger are made up,
of real ones. A row's error is a shared part, resampled from the out-of-fold errors of the default
model on the survey, and a part of each model's own, normal with the spread of errors around that
prediction. Both models are then equally good by construction, and their errors correlate as wanted.
A challenger that is 3 % better has its errors times 0.97. Each release draws fresh rows: 209 in the
test split and 3,968 with out-of-fold predictions, as the platform splits 4,177. A reference that is
another version than the champion is a third such model. Of new files are as many rows as are said,
drawn at random: their rows are right, and the champion has not learnt from them.

`poisoned_surveys` does the same to real models, where the rows of a new file are wrong.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.dataset import take
from abalone_assets.modeling.evaluation.bootstrap import RESAMPLES
from abalone_assets.modeling.evaluation.gate import Decision, GateLimits, decide
from abalone_assets.modeling.evaluation.paired import paired_comparisons
from abalone_assets.modeling.evaluation.reference import REFERENCE_RULES
from abalone_assets.modeling.evaluation.slices import slice_masks
from abalone_assets.modeling.training.cross_fitting import cross_fit
from abalone_assets.modeling.training.learners import learner_of
from benchmarks.cross_validation import survey_columns
from benchmarks.poisoned_surveys import print_poisoned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from abalone_assets.modeling.evaluation.gate_rules import Rule
    from abalone_assets.modeling.features import Columns

TEST_ROWS, ALL_ROWS = 209, 4177
CORRELATIONS = (0.98, 0.995)
"""Of both models' errors. Real ones correlate more, as is printed: it is harder to tell these."""

CHALLENGERS = {
    "3 % better": 0.97,
    "equal": 1.0,
    "1 % worse": 1.01,
    "2 % worse, the margin": 1.02,
    "3 % worse": 1.03,
    "6 % worse": 1.06,
}
"""Its true RMSE, as a share of the champion's."""

MARGIN = "2 % worse, the margin"

NIGHTS, WORSE_EACH_NIGHT = 50, 1.005
CHAIN_RESAMPLES = RESAMPLES // 5
TOLERANCE = 1.02
DECILES = 10
NEW_SHARE = 0.2
UNTOUCHED = {
    **dict.fromkeys(("misplaced", "leaked", "missing", "foreign", "near_twins"), 0),
    "surveyed": ALL_ROWS,
}


@dataclass(frozen=True)
class Population:
    """The animals that releases draw their rows from.

    Attributes:
        columns: Sex and rings, by which slices are cut.
        errors: The part of a model's error that another model shares, in rings, ``(n,)``.
        spread: Root mean square of the errors at like predictions, ``(n,)``.
        correlation: Of the errors of two models.
    """

    columns: Columns
    errors: NDArray[np.float64]
    spread: NDArray[np.float64]
    correlation: float

    @classmethod
    def of(cls, columns: Columns, predicted: NDArray[np.float64], correlation: float) -> Population:
        """The errors of out-of-fold predictions, ``(n,)``."""
        rings = np.asarray(columns[survey.TARGET], dtype=np.float64)
        errors = predicted - rings
        cuts = np.quantile(predicted, np.linspace(0, 1, DECILES + 1)[1:-1])
        decile = np.digitize(predicted, cuts)
        squares = np.bincount(decile, errors**2) / np.bincount(decile)
        kept = {"sex": np.asarray(columns["sex"], dtype=object), survey.TARGET: rings}
        return cls(kept, errors, np.sqrt(squares)[decile], correlation)

    def release(
        self,
        champion: float,
        challenger: float,
        random: np.random.Generator,
        reference: float | None = None,
        resamples: int = RESAMPLES,
    ) -> Release:
        """Fresh rows, with the errors of two or three models.

        Args:
            champion: Its errors are multiplied by this.
            challenger: The same.
            random: Draws; the same for the first two, whether there is a third or not.
            reference: The same, of another model than the champion.
            resamples: Bootstrap resamples of the gate's comparisons.
        """
        (of_reference,) = random.spawn(1)
        rows = random.integers(self.errors.size, size=ALL_ROWS)
        own = self.spread[rows] * math.sqrt(1 / self.correlation - 1)

        def squares(worth: float, draws: np.random.Generator) -> NDArray[np.float64]:
            drawn = self.errors[rows] + own * draws.standard_normal(ALL_ROWS)
            return np.asarray((worth * drawn) ** 2)

        return Release(
            take(self.columns, rows),
            squares(champion, random),
            squares(challenger, random),
            None if reference is None else squares(reference, of_reference),
            resamples,
        )


@dataclass(frozen=True)
class Release:
    """One release's rows, the test split first, and the models' squared errors on them."""

    columns: Columns
    champion: NDArray[np.float64]
    challenger: NDArray[np.float64]
    reference: NDArray[np.float64] | None = None
    resamples: int = RESAMPLES

    def gate(self, *, asks_reference: bool = True, asks_known_files: bool = False) -> Decision:
        """What the platform's gate decides, with its default limits.

        Args:
            asks_reference: Whether there is another version to hold against.
            asks_known_files: Whether `NEW_SHARE` of the rows are of files new to the champion.
        """
        evaluation: dict[str, Any] = {
            "rmse": _rmse(self.challenger[:TEST_ROWS]),
            "rows": TEST_ROWS,
            "split": UNTOUCHED,
            "trained_on_train_split": True,
            "champion": self.beside_champion | (self.known_files if asks_known_files else {}),
            "reference": self.beside_reference if asks_reference else None,
        }
        decision = decide(evaluation, GateLimits())
        if decision.rule == "unusable_evidence":
            raise RuntimeError(decision.reason)  # of these documents, not of the models
        return decision

    @cached_property
    def beside_champion(self) -> dict[str, Any]:
        """The challenger and the champion in an evaluation."""
        return self._beside(self.champion)

    @cached_property
    def beside_reference(self) -> dict[str, Any] | None:
        """The challenger and the reference, where that is another model than the champion."""
        return None if self.reference is None else self._beside(self.reference)

    @cached_property
    def known_files(self) -> dict[str, Any]:
        """The challenger and the champion on the rows of files that the champion knew.

        Rows are drawn independently, so those of new files may be the last of each part.
        """
        test_rows = round(TEST_ROWS * (1 - NEW_SHARE))
        last = TEST_ROWS + round((ALL_ROWS - TEST_ROWS) * (1 - NEW_SHARE))
        known = np.concatenate([np.arange(test_rows), np.arange(TEST_ROWS, last)])
        paired = self._paired(self.champion, known, test_rows)
        told: dict[str, Any] = {"told_by": "learnt_rows", "new": None, "new_files": []}
        return {"known_files": {**told, "paired": paired}}

    def _beside(self, other: NDArray[np.float64]) -> dict[str, Any]:
        return {"version": "1", "paired": self._paired(other, np.arange(ALL_ROWS), TEST_ROWS)}

    def _paired(
        self, other: NDArray[np.float64], rows: NDArray[np.int64], test_rows: int
    ) -> dict[str, Any]:
        """The comparisons on some rows, the first few of which are of the test split."""
        masks = {"overall": np.ones(rows.size, dtype=bool)}
        groups = slice_masks(take(self.columns, rows))
        masks |= {f"{by}/{name}": mask for by in groups for name, mask in groups[by].items()}
        pair = (self.challenger[rows], other[rows])
        compared = paired_comparisons(*pair, masks, self.resamples)
        everyone = {"test": np.ones(test_rows, dtype=bool)}
        tested = (self.challenger[:test_rows], other[:test_rows])
        return {
            "overall": compared["overall"],
            **paired_comparisons(*tested, everyone, self.resamples),
            "slices": {by: [compared[f"{by}/{name}"] for name in groups[by]] for by in groups},
        }

    def naive(self, tolerance: float = 1.0) -> Decision:
        """Approves when the challenger's RMSE on the test split is the champion's at most."""
        bar = _rmse(self.champion[:TEST_ROWS]) * tolerance
        approved = _rmse(self.challenger[:TEST_ROWS]) <= bar
        rule: Rule = "holds_against_champion" if approved else "worse_than_champion"
        return Decision(approved=approved, reason="", rule=rule)


NAIVE_GATES: dict[str, Callable[[Release], Decision]] = {
    "test RMSE at most the champion's": lambda release: release.naive(),
    "test RMSE at most 2 % above it": lambda release: release.naive(TOLERANCE),
}
GATES: dict[str, Callable[[Release], Decision]] = {
    "our gate": lambda release: release.gate(asks_reference=False),
    f"our gate, {NEW_SHARE:.0%} of the rows of new files": lambda release: release.gate(
        asks_reference=False, asks_known_files=True
    ),
    "our gate, an older version as good is the reference": lambda release: release.gate(),
    **NAIVE_GATES,
}
CHAIN_GATES: dict[str, Callable[[Release], Decision]] = {
    "our gate without a reference": lambda release: release.gate(asks_reference=False),
    "our gate": lambda release: release.gate(),
    **NAIVE_GATES,
}


def main(arguments: Sequence[str] = ()) -> None:
    """Print the approval rates, and where fifty nights of slightly worse challengers lead."""
    chosen = _parser().parse_args(arguments)
    columns = survey_columns(chosen.data)
    predicted = _predicted(columns)
    populations = [Population.of(columns, predicted, each) for each in chosen.correlation]
    for population in populations:
        _print_rates(population, chosen)
    _print_chains(populations[0], chosen.chains)
    if chosen.poisoned:
        print_poisoned(columns, chosen.poisoned, chosen.framework)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--data", type=Path, help="a survey file; else the platform's base survey")
    parser.add_argument("--releases", type=int, default=200, help="of each challenger")
    parser.add_argument(
        "--releases-at-margin", type=int, help="of the one whose approval is an error of 5 %%"
    )
    parser.add_argument(
        "--correlation",
        type=float,
        nargs="+",
        default=CORRELATIONS,
        help="of both models' errors, a table for each; the chains have the first",
    )
    parser.add_argument(
        "--resamples", type=int, default=RESAMPLES, help="of a release's bootstrap (%(default)s)"
    )
    parser.add_argument("--chains", type=int, default=10, help=f"of {NIGHTS} nights; 0 for none")
    parser.add_argument(
        "--poisoned", type=int, default=6, help="real champions beside poisoned models; 0 for none"
    )
    parser.add_argument("--framework", default="xgboost", help="of the real models (%(default)s)")
    return parser


def _predicted(columns: Columns) -> NDArray[np.float64]:
    """The default model's predictions out of fold; prints how errors of real models correlate."""
    rings = np.asarray(columns[survey.TARGET], dtype=np.float64)
    ours, another_seed, another_recipe = (
        cross_fit(learner_of(framework, {"seed": seed}), columns, 5).predicted
        for framework, seed in (("blend", 0), ("blend", 1), ("xgboost", 0))
    )
    by_seed, by_recipe = (
        np.corrcoef(ours - rings, other - rings)[0, 1] for other in (another_seed, another_recipe)
    )
    print(
        f"Out-of-fold RMSE of the default model on {rings.size:,} rows: "
        f"{_rmse((ours - rings) ** 2):.3f}. Its errors correlate by {by_seed:.3f} with those of "
        f"another seed and by {by_recipe:.3f} with XGBoost's."
    )
    return ours


def _print_rates(population: Population, chosen: argparse.Namespace) -> None:
    correlation = f"errors that correlate by {population.correlation:g}"
    resamples = f"{chosen.resamples:,} bootstrap resamples"
    print(f"\nShare approved (95 % Wilson interval) with {correlation}; {resamples}.\n")
    print(f"| true RMSE of the challenger | n | {' | '.join(GATES)} |")
    print("| --- " * (2 + len(GATES)) + "|")
    for name, worth in CHALLENGERS.items():
        random = np.random.default_rng(0)
        approved: dict[str, list[bool]] = {gate: [] for gate in GATES}
        at_margin = chosen.releases_at_margin if name == MARGIN else None
        for _ in range(at_margin or chosen.releases):
            release = population.release(1.0, worth, random, 1.0, chosen.resamples)
            for gate, decides in GATES.items():
                approved[gate].append(decides(release).approved)
        rates = [_rate(each) for each in approved.values()]
        n = len(approved["our gate"])
        print(f"| {name} | {n:,} | {' | '.join(rates)} |", flush=True)


def _print_chains(population: Population, chains: int) -> None:
    if not chains:
        return
    each = f"{WORSE_EACH_NIGHT - 1:.1%} worse than the champion of the day"
    print(f"\n{NIGHTS} nights, each with a challenger truly {each}; mean of {chains} chains.\n")
    print("| gate | approved | true RMSE afterwards |")
    print("| --- | --- | --- |")
    for name, gate in CHAIN_GATES.items():
        random = np.random.default_rng(0)
        ends = [_chain(population, gate, random) for _ in range(chains)]
        worth = np.mean([WORSE_EACH_NIGHT**approved for approved in ends])
        print(f"| {name} | {np.mean(ends):.1f} of {NIGHTS} | {worth - 1:+.1%} |", flush=True)


def _chain(
    population: Population, gate: Callable[[Release], Decision], random: np.random.Generator
) -> int:
    """How many of the challengers replaced the champion of the day."""
    approved = at_reference = 0
    for _ in range(NIGHTS):
        worth = WORSE_EACH_NIGHT**approved
        reference = None if at_reference == approved else WORSE_EACH_NIGHT**at_reference
        challenger = worth * WORSE_EACH_NIGHT
        release = population.release(worth, challenger, random, reference, CHAIN_RESAMPLES)
        decision = gate(release)
        approved += decision.approved
        if decision.rule in REFERENCE_RULES:
            at_reference = approved
    return approved


def _rmse(squares: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(squares)))


def _rate(approved: Sequence[bool]) -> str:
    """A share and its interval after Wilson, *Journal of the ASA* 22 (1927), at 95 %."""
    n, z = len(approved), 1.96
    share = sum(approved) / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return f"{share:.1%} ({max(centre - half, 0):.1%} to {min(centre + half, 1):.1%})"


if __name__ == "__main__":
    main(sys.argv[1:])
