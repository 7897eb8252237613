"""Recipes for simulated surveys against each other and against real rows.

Each is fitted on a random 80 % of the real rows and scored on the other 20 %. The ``book`` is a
CTGAN on the raw columns with the package's defaults and 300 epochs, and its rows are taken as
ingestion would take them: those that break a hard rule of the survey contract are missing. The
models that are trained on the rows are the shipped boosted trees, whose recipe is fixed.

``python -m benchmarks.synthesis --recipes ctgan --splits 0 --jsonl FILE`` does a part of it, and
``--table FILE`` prints the table of all parts that were done.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.dataset import concat, take
from abalone_assets.sample_data import base_survey
from abalone_assets.survey import parse_survey
from abalone_assets.synthesis import Recipe
from abalone_assets.synthesis.contract import judge, read_off, simulate
from abalone_assets.synthesis.quality import fidelity, transfer_rmse
from abalone_assets.synthesis.real_rows import RealRows, Table
from abalone_assets.synthesis.recipes import RECIPES, FitOptions, fit_synthesizer

CHOICES = ("real", "book", *RECIPES)
ROWS = 4000
ADDED = (100, 1000, 4000)
COLUMNS = {
    "fit_seconds": ("fit s", "{:.1f}"),
    "ks_mean": ("KS mean", "{:.3f}"),
    "sex_tv": ("sex TV", "{:.3f}"),
    "correlation_difference": ("corr. difference", "{:.3f}"),
    "invalid_share": ("invalid before repair", "{:.1%}"),
    "tstr_rmse": ("TSTR RMSE", "{:.3f}"),
    "tstr_ratio": ("TSTR / real", "{:.3f}"),
    **{f"with_{rows}": (f"real + {rows:,}", "{:+.3f}") for rows in ADDED},
}

Drawn = tuple[Table, float, float]
"""Rows, share that was invalid, seconds of fitting."""


def main(arguments: Sequence[str] = ()) -> None:
    options = _parser().parse_args(arguments)
    if options.table:
        lines = [line for file in options.table for line in file.read_text().splitlines()]
        _print_table([json.loads(line) for line in lines])
        return
    path = Path(options.data)
    columns = {
        name: np.array(values)
        for name, values in parse_survey(path.read_bytes(), path.name).columns.items()
    }
    results = []
    for recipe in options.recipes:
        for split in options.splits:
            results.append(_measure(recipe, columns, split))
            if options.jsonl:
                with options.jsonl.open("a") as file:
                    file.write(json.dumps(results[-1]) + "\n")
    _print_table(results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthesis", description=__doc__)
    given = os.environ.get("ABALONE_RAW_URI", "")
    parser.add_argument("--data", default=given or str(base_survey()), help="CSV of real rows")
    parser.add_argument("--recipes", nargs="+", choices=CHOICES, default=CHOICES)
    parser.add_argument("--splits", nargs="+", type=int, default=[0], help="seeds of the splits")
    parser.add_argument("--jsonl", type=Path, help="file that results are appended to")
    parser.add_argument("--table", nargs="+", type=Path, help="print the table of such files")
    return parser


def _measure(recipe: str, columns: Table, split: int) -> dict[str, Any]:
    real = _dealt(columns, split)
    rows, invalid, seconds = _drawn(recipe, real, split)
    looks = fidelity(rows, real.held_out)
    alone = transfer_rmse(real.fitted, real.held_out)
    useful = alone if recipe == "real" else transfer_rmse(rows, real.held_out)
    return {
        "recipe": recipe,
        "split": split,
        "rows": len(rows["sex"]),
        "fit_seconds": seconds,
        "ks_mean": looks["ks_mean"],
        "sex_tv": looks["sex_tv"],
        "correlation_difference": looks["correlation_difference"],
        "invalid_share": invalid,
        "real_rmse": alone,
        "tstr_rmse": useful,
        "tstr_ratio": useful / alone,
        **{f"with_{added}": _effect(recipe, rows, real, added) - alone for added in ADDED},
    }


def _dealt(columns: Table, split: int) -> RealRows:
    order = np.random.default_rng(split).permutation(len(columns["sex"]))
    cut = round(0.8 * order.size)
    return RealRows(take(columns, order[:cut]), take(columns, order[cut:]))


def _effect(recipe: str, rows: Table, real: RealRows, added: int) -> float:
    """The RMSE on held-out rows of a model that has learnt real rows and some more."""
    if recipe == "real" or len(rows["sex"]) < added:
        return float("nan")
    more = take(rows, np.arange(added))
    return transfer_rmse(concat([real.fitted, more]), real.held_out)


def _drawn(recipe: str, real: RealRows, seed: int) -> Drawn:
    if recipe == "real":
        read, clipped = read_off(real.fitted)
        verdicts, _ = judge(read, np.array([], dtype=np.uint64))
        return real.fitted, _share_invalid(verdicts, clipped), 0.0
    if recipe == "book":
        return _book(real, seed)
    started = time.perf_counter()
    options = FitOptions(cast("Recipe", recipe), seed=1000 * seed)
    synthesizer = fit_synthesizer(real, options, _report)
    seconds = time.perf_counter() - started
    drawn = simulate(synthesizer, ROWS, np.random.default_rng(seed), real.all)
    print(f"{recipe} {synthesizer.facts.attempts}", file=sys.stderr, flush=True)
    return drawn.columns, drawn.rejected_share + drawn.repaired_share, seconds


def _book(real: RealRows, seed: int) -> Drawn:
    import ctgan
    import pandas as pd
    import torch

    torch.set_num_threads(1)
    started = time.perf_counter()
    network = ctgan.CTGAN(epochs=300, enable_gpu=False)
    network.set_random_state(seed)
    network.fit(pd.DataFrame(real.fitted), ["sex"])
    seconds = time.perf_counter() - started
    # Enough that ADDED is met: as little as a fifth of it may be left.
    frame = network.sample(5 * ROWS)
    drawn = {name: frame[name].to_numpy() for name in frame}
    read, clipped = read_off(drawn)
    verdicts, _ = judge(read, np.array([], dtype=np.uint64))
    ingested = take(drawn, np.flatnonzero(_ingestible(drawn))[:ROWS])
    return ingested, _share_invalid(verdicts, clipped), seconds


def _share_invalid(verdicts: np.ndarray[Any, Any], clipped: dict[str, Any]) -> float:
    return float(np.logical_or.reduce([verdicts != "", *clipped.values()]).mean())


def _ingestible(columns: Table) -> np.ndarray[Any, Any]:
    """Which rows obey every hard rule of the survey contract."""
    within = [
        (np.round(columns[column.name], survey.MEASUREMENT_DECIMALS) > 0)
        & (columns[column.name] <= column.maximum)
        for column in survey.COLUMNS
        if column.maximum is not None
    ]
    return np.asarray(np.logical_and.reduce(within))


def _report(done: int, total: int) -> None:
    if done % 10 == 0:
        print(f"epoch {done} of {total}", file=sys.stderr, flush=True)


def _print_table(results: Sequence[dict[str, Any]]) -> None:
    """One line a recipe: the mean over its splits."""
    by_recipe: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        by_recipe[result["recipe"]].append(result)
    print(f"| recipe | splits | {' | '.join(title for title, _ in COLUMNS.values())} |")
    print("| --- " * (len(COLUMNS) + 2) + "|")
    for recipe in (each for each in CHOICES if each in by_recipe):
        parts = by_recipe[recipe]
        means = {name: fmean(part[name] for part in parts) for name in COLUMNS}
        cells = [
            "" if np.isnan(means[name]) else form.format(means[name])
            for name, (_, form) in COLUMNS.items()
        ]
        print(f"| {recipe} | {len(parts)} | {' | '.join(cells)} |")
    print(f"\n{ROWS:,} simulated rows a fit; real + n: change of the RMSE by n simulated rows.")


if __name__ == "__main__":
    main(sys.argv[1:])
