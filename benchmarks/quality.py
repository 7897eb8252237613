"""How good the shipped model is: ten folds beside its peers, its intervals, its whole procedure.

The recipe is fixed: nothing is chosen on the folds that are reported. ``--nested`` shows what the
whole procedure, its search included, is worth on rows that neither search nor fit has seen.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import nested_search, quality_intervals
from benchmarks.candidates import CANDIDATES, QUICK, REFERENCE
from benchmarks.cross_validation import ScoreLog, survey_columns, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from abalone_assets.modeling.features import Columns


def main(arguments: Sequence[str] = ()) -> None:
    """Measure what was asked for; by default the candidates that are quick."""
    chosen = _parser().parse_args(arguments)
    if os.environ.get("OMP_NUM_THREADS") != "1":
        print("seconds are those of all processors: set OMP_NUM_THREADS=1 to compare them")
    columns = survey_columns(chosen.data, impute_heights=chosen.impute_heights)
    log = ScoreLog(chosen.log)
    if chosen.platform_split:
        quality_intervals.platform_split(columns)
    if chosen.coverage:
        quality_intervals.coverage(columns)
    if chosen.nested:
        nested_search.compare(log, columns, chosen.nested)
    if not (chosen.platform_split or chosen.coverage or chosen.nested):
        _compare(log, columns, CANDIDATES if "all" in chosen.candidates else chosen.candidates)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--data", type=Path, help="a survey file; else the platform's base survey")
    parser.add_argument(
        "--candidates", nargs="+", default=list(QUICK), metavar="NAME",
        choices=[*CANDIDATES, "all"], help=f"all, or any of {', '.join(CANDIDATES)}",
    )  # fmt: skip
    parser.add_argument("--log", type=Path, help="file of scores, to go on with and to add to")
    parser.add_argument(
        "--impute-heights", action="store_true", help="count rows of height 0 with a likely one"
    )
    parser.add_argument(
        "--nested", type=int, metavar="TRIALS", help="search with so many trials in every fold"
    )
    parser.add_argument("--coverage", action="store_true", help="of the intervals, over the folds")
    parser.add_argument(
        "--platform-split", action="store_true", help="a release's numbers, on its own splits"
    )
    return parser


def _compare(log: ScoreLog, columns: Columns, names: Iterable[str]) -> None:
    for name in names:
        candidate = CANDIDATES[name]
        if not candidate.is_installed:
            print(f"{candidate.label}: left out, {candidate.package} is not installed")
        else:
            log.complete(name, candidate.fit, columns)
    print(table(log.scores, {name: each.label for name, each in CANDIDATES.items()}, REFERENCE))


if __name__ == "__main__":
    main(sys.argv[1:])
