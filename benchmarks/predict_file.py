"""`abalone predict FILE` beside parsing and predicting alone, in NumPy and in one process."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import psutil

from abalone_assets.serving.state import read_state
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
            "Both sides start an interpreter and take blocks of 10,000 animals; ours writes a CSV.",
            "Ours has the endpoint's process in its CPU, and not in its peak, which is beside it.",
        ],
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="abalone-bench-")))
        model = default_model(folder)
        port = stack.enter_context(served(folder, model))
        for rows in (_BLOCK,) if options.quick else ROWS:
            path = folder / f"{rows}.csv"
            path.write_bytes(animals(rows))
            sides = {
                OURS: partial(_predict, path, rows, port, folder / "home"),
                FLOOR: partial(_floor, path, rows, model),
            }
            case = f"{rows:,} animals"
            measured.alternate(sides, options.turns(3), case=case, warm_ups=0)
    return measured


def _predict(path: Path, rows: int, port: int, home: Path) -> dict[str, float]:
    ages = path.with_suffix(".ages.csv")
    arguments = ["predict", path, "--output", ages, "--url", f"http://127.0.0.1:{port}"]
    command = [sys.executable, "-m", "abalone_assets.cli", *map(str, arguments)]
    state = read_state(home / "endpoint" / "server.json")
    assert state is not None
    server = psutil.Process(state.pid)
    before = server.cpu_times()
    cost = _cost(command, rows, {"ABALONE_HOME": str(home)})
    after = server.cpu_times()
    cost["CPU s"] += after.user + after.system - before.user - before.system
    return {**cost, "endpoint MiB": server.memory_info().rss / 2**20}


def _floor(path: Path, rows: int, model: Path) -> dict[str, float]:
    return _cost([sys.executable, "-c", _FLOOR_CODE, str(path), str(model)], rows, {})


def _cost(command: list[str], rows: int, environ: dict[str, str]) -> dict[str, float]:
    cost = process_cost(command, environ)
    return {
        "CPU s": cost["CPU s"],
        "wall s": cost["wall s"],
        "animals a second": rows / cost["wall s"],
        "peak MiB": cost["peak MiB"],
    }
