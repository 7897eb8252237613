"""What random histories went through: each is a line of a ledger, so an end of a soak loses none.

``ABALONE_TEST_LEDGER`` names the file; ``python -m abalone_assets_tests.support.ledger FILE…`` adds
its lines up.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VARIABLE: Final = "ABALONE_TEST_LEDGER"
SETTLED: Final = "settled"
CUT_SHORT: Final = "cut short"
"""By Ctrl-C: nobody knows how it would have ended, so it is not counted."""


@dataclass(frozen=True)
class Entry:
    """One history.

    Attributes:
        of: What it is a history of, such as ``ingestion``.
        store: Where lake and instance were.
        seed: That it can be made again with, together with its number.
        number: Which one of its seed, from 0.
        steps: How often each of its steps was taken.
        struck: How often each fault struck at a call of a store.
        runs: Runs of Dagster that it took.
        seconds: How long it took, its end and the comparison included.
        outcome: `SETTLED`, `CUT_SHORT`, or what was not as it should be.
    """

    of: str
    store: str
    seed: int
    number: int
    steps: Mapping[str, int]
    struck: Mapping[str, int]
    runs: int
    seconds: float
    outcome: str


def append(entry: Entry) -> None:
    """Add a line to the ledger, if there is one."""
    if file := os.environ.get(VARIABLE):
        with Path(file).open("a") as ledger:
            ledger.write(json.dumps(asdict(entry)) + "\n")


def read_ledger(file: Path) -> list[Entry]:
    """The histories of a ledger; a last line that was not written to its end is left out."""
    lines = file.read_text().split("\n")[:-1]
    return [Entry(**json.loads(line)) for line in lines]


def told_of(histories: Iterable[Entry]) -> Iterator[str]:
    """The sums over all histories of one kind and store, line by line."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for each in (one for one in histories if one.outcome != CUT_SHORT):
        groups.setdefault((each.of, each.store), []).append(each)
    for (of, store), members in sorted(groups.items()):
        steps, struck = Counter[str](), Counter[str]()
        for each in members:
            steps.update(each.steps)
            struck.update(each.struck)
        wrong = [f"  history {each.number} of seed {each.seed}: {each.outcome}" for each in members]
        wrong = [line for line, each in zip(wrong, members, strict=True) if each.outcome != SETTLED]
        seconds = sorted(each.seconds for each in members)
        runs, median = sum(each.runs for each in members), 1000 * seconds[len(seconds) // 2]
        counted = f"{len(members)} histories, {steps.total()} steps, {runs} runs"
        yield f"{of} on {store}: {counted}, median {median:.0f} ms"
        yield f"  seeds: {_ranges({each.seed for each in members})}"
        yield f"  faults: {_counts(struck)}"
        yield f"  steps: {_counts(steps)}"
        yield f"  violations: {len(wrong)}"
        yield from wrong


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "none"


def _ranges(numbers: Iterable[int]) -> str:
    """``1 to 3, 7`` of 1, 2, 3, 7."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ", ".join(" to ".join(map(str, each)) for each in ranges)


if __name__ == "__main__":
    ledgers = [read_ledger(Path(name)) for name in sys.argv[1:]]
    sys.stdout.writelines(f"{line}\n" for line in told_of(itertools.chain(*ledgers)))
