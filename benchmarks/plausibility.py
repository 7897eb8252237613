"""How often real surveys are held, and how many of those with an error that runs through them.

The profile is fitted on a random half of the base survey; files are drawn from the other half. They
are written and parsed as ingestion does it. It also prints the numbers of the shipped profile.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abalone_assets.ingest.held_files import Judge
from abalone_assets.ingest.plausibility.profile import Profile
from abalone_assets.lake.manifest import IngestedFile
from abalone_assets.survey import UnreadableSurveyError
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals
from benchmarks.cross_validation import survey_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

FILES = 200
REAL_SIZES = (3, 5, 10, 20, 50, 100, 500)
ERROR_SIZES = (10, 50)
FILE = IngestedFile("abalone.20250314061500", 0, "", "", 0, 0)


@dataclass(frozen=True)
class Rates:
    """What became of files, in percent of them.

    Attributes:
        held: Held.
        refused: Refused as a whole by the parser, as too many records break a rule, or left
            without a row.
    """

    held: float
    refused: float

    def __str__(self) -> str:
        """Held, and what else was caught."""
        return f"{self.held:.3g}" + (f" + {self.refused:.3g} r" if self.refused else "")


def rates(judge: Judge, files: Sequence[Animals]) -> Rates:
    """Write, parse and judge these files."""
    outcomes = Counter[str]()
    for animals in files:
        try:
            entry = judge.judge(animals.survey(), FILE)
        except UnreadableSurveyError:
            outcomes["refused"] += 1
        else:
            outcomes["held" if entry.held else "ingested" if entry.rows else "refused"] += 1
    percent = 100 / len(files)
    return Rates(outcomes["held"] * percent, outcomes["refused"] * percent)


def false_alarms(judge: Judge, others: Animals, random: np.random.Generator, files: int) -> None:
    """Print how often real surveys of each kind are held."""
    print("| real surveys, held % |", " | ".join(f"{size} rows" for size in REAL_SIZES), "|")
    print("| --- |" + " --- |" * len(REAL_SIZES))
    for kind, animals in others.kinds().items():
        cells = [
            str(rates(judge, [animals.drawn(size, random) for _ in range(files)]))
            if size <= len(animals)
            else ""
            for size in REAL_SIZES
        ]
        print(f"| {kind} |", " | ".join(cells), "|", flush=True)


def detections(judge: Judge, others: Animals, random: np.random.Generator, files: int) -> None:
    """Print how many surveys with each error are held or refused."""
    print("| error, held % |", " | ".join(f"{size} rows" for size in ERROR_SIZES), "|")
    print("| --- |" + " --- |" * len(ERROR_SIZES))
    for name, error in ERRORS.items():
        cells = [
            str(rates(judge, [others.drawn(size, random).with_error(error) for _ in range(files)]))
            for size in ERROR_SIZES
        ]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure on a survey, by default the platform's base survey."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plausibility", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="PATH", help="a survey file")
    parser.add_argument("--files", type=int, default=FILES, help="of each kind and size")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    animals = Animals.in_columns(survey_columns(chosen.data))
    for fit in Profile.of(animals.columns()).fits:
        numbers = ", ".join(f"{each:.5g}" for each in fit.coefficients)
        print(f"Fit(({numbers}), {fit.deviation:.4g}),")
    random = np.random.default_rng(chosen.seed)
    order = random.permutation(len(animals))
    base, others = animals[order[: len(order) // 2]], animals[order[len(order) // 2 :]]
    judge = Judge("base", Profile.of(base.columns()))
    print()
    false_alarms(judge, others, random, chosen.files)
    print()
    detections(judge, others, random, chosen.files)


if __name__ == "__main__":
    main(sys.argv[1:])
