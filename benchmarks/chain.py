"""The whole chain, from landed files to a registered version, by number of rows: where time goes.

Each size in a process of its own, which calls the functions that our assets call, training and
evaluation included, and no orchestrator. The animals are the base survey's, each many times, with
some noise that keeps their proportions.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.sample_data import base_survey
from benchmarks.timing import Measured, Options, middle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZES: Final = (10_000, 100_000, 1_000_000)
FILE_ROWS: Final = 10_000
FIRST: Final = date(2025, 1, 1)
ALL: Final = "all"


def measure(options: Options) -> Measured:
    """Every size in turn, so often as asked for."""
    sizes = SIZES[:1] if options.quick else SIZES
    measured = Measured("chain")
    totals: dict[int, list[float]] = {}
    for rows in sizes:
        steps: dict[str, dict[str, list[float]]] = {}
        error = ""
        for _ in range(options.turns(1 if rows == SIZES[-1] else 3)):
            try:
                laps = _run(rows)
            except (subprocess.CalledProcessError, OSError) as failed:
                error = f"{failed}: {getattr(failed, 'stderr', '')[-300:]}"
                break
            for step, costs in laps.items():
                for name, value in costs.items():
                    steps.setdefault(step, {}).setdefault(name, []).append(value)
            totals.setdefault(rows, []).append(laps[ALL]["CPU s"])
        for step, values in steps.items():
            measured.add(step, values, case=f"{rows:,} rows")
        if error:
            measured.add(ALL, {}, case=f"{rows:,} rows", error=error)
    measured.notes += _slopes({rows: middle(found) for rows, found in totals.items()})
    return measured


def _slopes(totals: dict[int, float]) -> list[str]:
    sizes = sorted(totals)
    return [
        f"From {low:,} to {high:,} rows CPU grows with the power "
        f"{math.log(totals[high] / totals[low]) / math.log(high / low):.2f} of the rows."
        for low, high in pairwise(sizes)
    ]


def _run(rows: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as home:
        environ = {"ABALONE_HOME": home, "ABALONE_RAW_URI": str(base_survey())}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.chain", str(rows)],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=True,
        )
    laps: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return laps


def inside(rows: int) -> dict[str, dict[str, float]]:
    """Seconds of each step, and the peak of memory at its end, in this process."""
    from abalone_assets.settings.platform import load_settings
    from benchmarks import plain_release

    zone = Path(load_settings().landing_zone_uri)
    zone.mkdir(parents=True)
    for number, data in enumerate(_files(rows)):
        (zone / f"abalone.{FIRST + timedelta(days=number):%Y%m%d}120000").write_bytes(data)
    steps: dict[str, Callable[[], object]] = {
        "ingest": lambda: _ingest(plain_release.days_due()),
        "prepare": plain_release.prepare,
        "train": plain_release.train,
        "evaluate": plain_release.evaluate,
        "gate and registry": plain_release.approve,
    }
    laps: dict[str, dict[str, float]] = {}
    for name, step in steps.items():
        cpu, wall = time.process_time(), time.perf_counter()
        step()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        laps[name] = {
            "CPU s": time.process_time() - cpu,
            "wall s": time.perf_counter() - wall,
            "peak MiB so far": peak,
        }
    sums = {each: sum(lap[each] for lap in laps.values()) for each in ("CPU s", "wall s")}
    return {**laps, ALL: {**sums, "peak MiB so far": laps["gate and registry"]["peak MiB so far"]}}


def _ingest(days: list[str]) -> None:
    from benchmarks import plain_release

    plain_release.ingest_base_survey()
    plain_release.ingest_days(days)


def _files(rows: int) -> Iterator[bytes]:
    random = np.random.default_rng(0)
    animals = [line.split(",") for line in base_survey().read_text().split()]
    values = np.array([[float(value) for value in animal[1:8]] for animal in animals])
    for first in range(0, rows, FILE_ROWS):
        count = min(FILE_ROWS, rows - first)
        drawn = random.integers(len(animals), size=count)
        size = np.exp(random.normal(0, 0.05, (count, 1)))
        noise = np.exp(random.normal(0, 0.01, (count, 7)))
        made = values[drawn] * np.where(np.arange(7) < 3, size, size**3) * noise
        lines = (
            ",".join([animals[animal][0], *(f"{value:.4f}" for value in row), animals[animal][8]])
            for animal, row in zip(drawn, made, strict=True)
        )
        yield ("\n".join(lines) + "\n").encode()


if __name__ == "__main__":
    print(json.dumps(inside(int(sys.argv[1]))))
