"""The whole procedure, search included, on rows that neither search nor fit has seen.

In every outer fold a study searches the training part alone, in folds of its own; its proposal is
fitted there and scored on the part left out: no hyperparameter has seen the rows it is scored on.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from abalone_assets.search import StudyPlan, run_study
from benchmarks.candidates import CANDIDATES, REFERENCE, our
from benchmarks.cross_validation import ScoreLog, table

if TYPE_CHECKING:
    from abalone_assets.modeling.features import Columns
    from abalone_assets.search import Proposal
    from benchmarks.cross_validation import Predict


def compare(log: ScoreLog, columns: Columns, trials: int) -> None:
    """Print the default beside the best of a search, and beside what a search recommends.

    Args:
        log: Where scores are kept.
        columns: All rows.
        trials: Of each part of the blend, in every fold.
    """
    searched, advised = f"searched_{trials}", f"advised_{trials}"
    proposals: list[Proposal] = []

    def search(train: Columns) -> Predict:
        started = time.perf_counter()
        proposal = run_study(train, StudyPlan(), trials=trials).proposal
        proposals.append(proposal)
        print(f"{time.perf_counter() - started:.0f} s: {proposal.verdict()}", flush=True)
        print(f"  {dict(proposal.hyperparameters)}", flush=True)
        return our("blend", proposal.hyperparameters)(train)

    log.complete(REFERENCE, CANDIDATES[REFERENCE].fit, columns)
    log.forget(searched)
    log.complete(searched, search, columns)
    scores = zip(proposals, log.of(searched), log.of(REFERENCE), strict=True)
    followed = [
        replace(new if proposal.recommended else default, candidate=advised, seconds=new.seconds)
        for proposal, new, default in scores
    ]
    labels = {
        REFERENCE: CANDIDATES[REFERENCE].label,
        searched: f"the best of {trials} trials of each part, searched in every fold",
        advised: "what these searches recommend, else the default",
    }
    print(f"recommended in {sum(each.recommended for each in proposals)} of {len(proposals)} folds")
    print(table([*log.scores, *followed], labels, REFERENCE))
