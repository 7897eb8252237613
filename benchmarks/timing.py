"""Wall time of whole processes, two in turn, so that a drift of the machine hits both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def python_seconds(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> float:
    """Seconds that a Python process takes from start to exit."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        env={**os.environ, **(environ or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def compare(ours: Callable[[], float], peer: Callable[[], float], runs: int) -> None:
    """Run the two in turn after one warm-up each, and print medians and their ratio."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(runs)]
    rows = {"ours": [pair[0] for pair in pairs], "peer": [pair[1] for pair in pairs]}
    print("| | median s | min | max | n |")
    print("| --- | --- | --- | --- | --- |")
    for name, seconds in rows.items():
        middle = statistics.median(seconds)
        print(f"| {name} | {middle:.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {runs} |")
    ratio = statistics.median(ours / peer for ours, peer in pairs)
    print(f"\nratio ours / peer, median of the pairs: {ratio:.2f}")
