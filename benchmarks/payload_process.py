"""What one release computes, in a process of its own: prints seconds of all processors as JSON.

Run as a script, so that ``PYTHONPATH`` says which revision's package it measures. It calls the
entry scripts in folders laid out as SageMaker's, which is what the platform does in any revision.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SHARES = {"train": (0, 80), "validation": (80, 95), "test": (95, 100)}
SINCE = {"SOURCE_DATE_EPOCH": "1740830400"}


def seconds() -> float:
    """User and system time of this process, with all of its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(survey: str) -> None:
    """Train the default model on a survey, evaluate it beside itself as champion, and report.

    A revision whose evaluation has a report in it has no part of its own for that.
    """
    started = seconds()
    from abalone_assets.external import evaluate
    from abalone_assets.modeling.archive import ARCHIVE_NAME, pack

    for package in ("xgboost", "scipy.stats", "pyarrow.parquet", "matplotlib.figure"):
        __import__(package)  # as a warm worker has
    laps: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write_splits(Path(survey), root)
        laps["imports and splits"] = seconds() - started

        def lap(name: str) -> None:
            laps[name] = seconds() - started - sum(laps.values())

        _train({**_environ(root), **SINCE})
        pack(root / "content", root / "model" / ARCHIVE_NAME)
        lap("training")
        arguments = ["--output-dir", str(root / "output"), "--champion-dir", str(root / "model")]
        for name in ("model", *SHARES):
            arguments += [f"--{name}-dir", str(root / name)]
        arguments += ["--champion-version", "1", "--champion-tolerance", "0.02"]
        if hasattr(evaluate, "_write_report"):
            evaluate.main([*arguments, "--report", "no"])
            lap("evaluation")
            if hasattr(evaluate, "study_model"):
                (root / "output").rename(root / "evaluated")
                arguments += ["--evaluated-dir", str(root / "evaluated")]
        evaluate.main(arguments)
        lap("evaluation with its report")
        told = json.loads((root / "output" / "evaluation.json").read_text())["out_of_fold"]
        model = hashlib.sha256((root / "content" / "blend.npz").read_bytes()).hexdigest()
    print(json.dumps({"seconds": laps, "model": model, "out_of_fold": told}))


def _train(environ: dict[str, str]) -> None:
    """Train a blend; a revision of before 2026-11-29 has an entry script for each framework."""
    before = "abalone_assets.external.train_blend"
    if find_spec(before):
        import_module(before).main([], environ)
        return
    from abalone_assets.external.train import main as train

    train(["--framework", "blend"], environ)


def _environ(root: Path) -> dict[str, str]:
    (root / "model").mkdir()
    (root / "content").mkdir()
    return {
        "SM_MODEL_DIR": str(root / "content"),
        "SM_OUTPUT_DATA_DIR": str(root / "metrics"),
        "SM_CHANNEL_TRAIN": str(root / "train"),
        "SM_CHANNEL_VALIDATION": str(root / "validation"),
    }


def _write_splits(path: Path, root: Path) -> None:
    import numpy as np
    import pandas as pd

    from abalone_assets.modeling.dataset import row_keys
    from abalone_assets.survey import parse_survey

    columns = parse_survey(path.read_bytes(), path.name).columns
    rows: dict[str, Any] = {name: np.asarray(values) for name, values in columns.items()}
    frame = pd.DataFrame({**rows, "source_file": path.name, "origin": "surveyed"})
    hundredth = row_keys(rows) % np.uint64(100)
    for name, (low, high) in SHARES.items():
        (root / name).mkdir()
        inside = frame[(hundredth >= low) & (hundredth < high)]
        inside.to_parquet(root / name / "data.parquet", index=False)


if __name__ == "__main__":
    main(sys.argv[1])
