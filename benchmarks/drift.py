"""How often drift is found that is there, and how often some that is not.

``python -m benchmarks drift``: samples of the bundled survey, by seed, against the whole of it.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from abalone_assets.monitoring.drift import compare
from abalone_assets.survey import FEATURES, MEASUREMENTS
from abalone_assets_tests.monitoring.support import reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sample = tuple[dict[str, NDArray[Any]], NDArray[np.float64]]

TRIALS = 100
REQUESTS = 500
DAYS = 365
REQUESTS_A_DAY = 60
WINDOW = 7


def main() -> None:
    """Shift each measurement by half a deviation, then nothing, then look each day of a year."""
    learnt = reference()
    load, begun = os.getloadavg()[0], time.perf_counter()

    def sample(count: int, seed: int) -> Sample:
        size = learnt.predicted.size
        drawn = np.random.default_rng(seed).choice(size, count, replace=False)
        columns = {name: np.asarray(learnt.columns[name])[drawn] for name in FEATURES}
        return columns, learnt.predicted[drawn]

    def drifted(columns: dict[str, NDArray[Any]], predicted: NDArray[np.float64]) -> set[str]:
        return {each.feature for each in compare(learnt, columns, predicted) if each.drifted}

    print("| what | looks | of which found drift | of which named another feature |")
    print("| --- | --- | --- | --- |")
    for feature in MEASUREMENTS:
        found = []
        for seed in range(TRIALS):
            columns, predicted = sample(REQUESTS, seed)
            columns[feature] = columns[feature] + 0.5 * np.std(learnt.columns[feature])
            found.append(drifted(columns, predicted))
        hits = sum(feature in each for each in found)
        others = sum(bool(each - {feature}) for each in found)
        print(f"| {feature} half a deviation larger | {TRIALS} | {hits} | {others} |", flush=True)
    quiet = sum(bool(drifted(*sample(REQUESTS, seed))) for seed in range(TRIALS))
    print(f"| nothing | {TRIALS} | {quiet} | |", flush=True)
    days = [sample(REQUESTS_A_DAY, seed) for seed in range(DAYS)]
    alarms = 0
    for last in range(WINDOW, DAYS + 1):
        window = days[last - WINDOW : last]
        columns = {name: np.concatenate([day[name] for day, _ in window]) for name in FEATURES}
        alarms += bool(drifted(columns, np.concatenate([predicted for _, predicted in window])))
    looks = DAYS - WINDOW + 1
    print(f"| a quiet year, a look each day at seven days | {looks} | {alarms} | |")
    print(f"\n{time.perf_counter() - begun:.0f} s, load {load:.1f}")
