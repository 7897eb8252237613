"""`abalone predict FILE` beside parsing and predicting alone, in NumPy and in one process."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks.endpoint import animals, default_model, served
from benchmarks.timing import OURS, Measured, process_cost

if TYPE_CHECKING:
    from benchmarks.timing import Options

FLOOR: Final = "parse and predict alone"
ROWS: Final = (100_000, 1_000_000)
_BLOCK: Final = 10_000
_FLOOR_CODE: Final = f"""
import sys
from itertools import islice
from abalone_assets.modeling import inference
predictor, predicted = inference.model_fn(sys.argv[2]), 0
with open(sys.argv[1]) as file:
    while block := "".join(islice(file, {_BLOCK})):
        rows = inference.input_fn(block, "text/csv")
        predicted += len(inference.predict_fn(rows, predictor).rings)
print(predicted)
"""


def measure(options: Options) -> Measured:
    """Age files of 100,000 and of 1,000,000 animals."""
    measured = Measured(
        "predict_file",
        notes=[
            (
                "Both sides start an interpreter and take blocks of 10,000 animals; ours writes "
                "all of them to a CSV file besides."
            ),
            "The endpoint's process, which predicts for ours, is in neither its CPU nor its peak.",
        ],
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="abalone-bench-")))
        model = default_model(folder)
        port = stack.enter_context(served(folder, model))
        for rows in (_BLOCK,) if options.quick else ROWS:
            path = folder / f"{rows}.csv"
            path.write_bytes(animals(rows))
            measured.alternate(
                {
                    OURS: partial(_predict, path, rows, port),
                    FLOOR: partial(_floor, path, rows, model),
                },
                options.turns(3),
                case=f"{rows:,} animals",
                warm_ups=0,
            )
    return measured


def _predict(path: Path, rows: int, port: int) -> dict[str, float]:
    ages = path.with_suffix(".ages.csv")
    arguments = ["predict", path, "--output", ages, "--url", f"http://127.0.0.1:{port}"]
    command = [sys.executable, "-m", "abalone_assets.cli", *map(str, arguments)]
    return _cost(command, rows, {"ABALONE_HOME": str(path.parent)})


def _floor(path: Path, rows: int, model: Path) -> dict[str, float]:
    return _cost([sys.executable, "-c", _FLOOR_CODE, str(path), str(model)], rows, {})


def _cost(command: list[str], rows: int, environ: dict[str, str]) -> dict[str, float]:
    cost = process_cost(command, environ)
    return {
        "wall s": cost["wall s"],
        "animals a second": rows / cost["wall s"],
        "CPU s": cost["CPU s"],
        "peak MiB": cost["peak MiB"],
    }
