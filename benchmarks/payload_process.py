"""What one release computes, in a process of its own: prints seconds of all processors as JSON.

Run as a script, so that ``PYTHONPATH`` says which revision's package it measures.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SHARES = {"train": (0, 80), "validation": (80, 95), "test": (95, 100)}


def seconds() -> float:
    """User and system time of this process, with all of its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(survey: str) -> None:
    """Train the default model on a survey, evaluate it beside itself as champion, and report."""
    started = seconds()
    from abalone_assets.modeling.archive import ARCHIVE_NAME, pack, read_archived, write_archive
    from abalone_assets.modeling.evaluation.champion import Champion
    from abalone_assets.modeling.evaluation.evaluate import Splits, evaluate_model
    from abalone_assets.modeling.evaluation.report import render_report
    from abalone_assets.modeling.training.train import fit

    __import__("xgboost")
    parts = _splits(Path(survey))
    laps = {"imports": seconds() - started}

    def lap(name: str) -> None:
        laps[name] = seconds() - started - sum(laps.values())

    model = fit("blend", parts["train"], parts["validation"], created_at="2025-03-01T12:00:00")
    lap("training")
    with tempfile.TemporaryDirectory() as folder:
        write_archive(model, Path(folder, "model"))
        pack(Path(folder, "model"), Path(folder, ARCHIVE_NAME))
        archived = read_archived(Path(folder, ARCHIVE_NAME))
    lap("archive")
    evaluation = evaluate_model(archived, Splits(**parts), champion=Champion("1", archived))
    lap("evaluation")
    render_report(evaluation, archived, champion_tolerance=0.02)
    lap("report")
    told = {"model": model.card.model_sha256, "out_of_fold": model.card.out_of_fold}
    print(json.dumps({"seconds": laps, **told}))


def _splits(path: Path) -> dict[str, Any]:
    from abalone_assets.modeling.dataset import row_keys, take
    from abalone_assets.survey import parse_survey

    columns = parse_survey(path.read_bytes(), path.name).columns
    rows: dict[str, Any] = {
        name: np.asarray(values, dtype=object if name == "sex" else None)
        for name, values in columns.items()
    }
    count = len(rows["sex"])
    rows |= {"source_file": np.full(count, path.name, object)}
    rows |= {"origin": np.full(count, "surveyed", object)}
    hundredth = row_keys(rows) % np.uint64(100)
    return {
        name: take(rows, (hundredth >= low) & (hundredth < high))
        for name, (low, high) in SHARES.items()
    }


if __name__ == "__main__":
    main(sys.argv[1])
