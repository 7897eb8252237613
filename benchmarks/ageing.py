"""A whole file of animals aged, from the landing zone to its ages, against parse and predict alone.

Each side in a process of its own, which imports and loads the model before the clock starts. Ours
copies and digests the file, judges every row, writes what it took in, the ages and a CSV of them.
The peer reads the file by ``numpy.loadtxt``, some ten thousand lines at a time, and predicts with
intervals; it checks and writes nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.timing import OURS, Measured, Options

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZES: Final = (100_000, 1_000_000)
PEER: Final = "NumPy: parse and predict"
DAY: Final = "2025-03-03"
NAME: Final = "animals.20250303120000"
_LINES: Final = 10_000


def measure(options: Options) -> Measured:
    """Both sizes in turn, by both sides."""
    from benchmarks.endpoint import default_model

    measured = Measured("ageing")
    with tempfile.TemporaryDirectory(prefix="abalone-ageing-") as made:
        folder = Path(made)
        model = default_model(folder)
        for rows in SIZES[:1] if options.quick else SIZES:
            (folder / f"{rows}").mkdir()
            _write(folder / f"{rows}" / NAME, rows)
            sides = {
                OURS: lambda: _side("ours", folder / f"{rows}", model),  # noqa: B023 - called here
                PEER: lambda: _side("peer", folder / f"{rows}", model),  # noqa: B023
            }
            measured.alternate(sides, options.turns(3), case=f"{rows:,} animals", warm_ups=0)
    measured.notes += [
        "Times are without imports and the loading of the model; the peak is the process's.",
        "The animals are drawn with noise from the bundled survey; one in a thousand is bad.",
    ]
    return measured


def _write(path: Path, rows: int) -> None:
    from abalone_assets.sample_data import base_survey

    lines = [line.split(",")[:-1] for line in base_survey().read_text().split()]
    sexes = np.array([line[0] for line in lines])
    measures = np.array([line[1:] for line in lines], dtype=np.float64)
    random = np.random.default_rng(0)
    with path.open("w") as file:
        for start in range(0, rows, _LINES):
            drawn = random.integers(0, len(lines), min(_LINES, rows - start))
            noisy = measures[drawn] * random.normal(1, 0.01, (drawn.size, 1))
            for number, (sex, values) in enumerate(zip(sexes[drawn], noisy, strict=True)):
                bad = (start + number) % 1000 == 999
                told = ",".join(f"{max(value, 0.0005):.4f}" for value in values)
                file.write(f"{'X' if bad else sex},{told}\n")


def _side(name: str, folder: Path, model: Path) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory(prefix="abalone-home-") as home:
        environment = {**os.environ, "ABALONE_HOME": home, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, name, str(folder), str(model), home]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _ours(folder: Path, model: Path, home: Path) -> None:
    """As the run of the job `age_animals` does it, without Dagster."""
    from abalone_assets.ageing.aged_days import Ageing
    from abalone_assets.ageing.doubts import Doubter
    from abalone_assets.ageing.intake import Intake
    from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
    from abalone_assets.lake.animals import Animals
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest_store import commit_days
    from abalone_assets.modeling.archive import card_in
    from abalone_assets.modeling.inference import model_fn, predict_fn
    from abalone_assets.settings.platform import load_settings

    predictor, card = model_fn(model), card_in(model)
    animals, zone = Animals(Lake(str(home / "lake"))), FolderLandingZone(folder)
    settings = load_settings()
    with _measured():
        taken = dict(Intake.of(zone, animals, settings).days([DAY]))
        commit_days(animals.records, {DAY: taken[DAY].entry})
        ageing = Ageing(animals, zone, 1, Doubter.of(card), home)
        plan = ageing.plan([DAY], again=False)
        list(
            ageing.age(plan, lambda blocks: ((b, predict_fn(b.rows, predictor)) for b in blocks()))
        )


def _peer(folder: Path, model: Path) -> None:
    from abalone_assets.modeling.inference import CSV, model_fn, predict_fn
    from abalone_assets.modeling.rows import Rows

    predictor = model_fn(model)
    kinds = np.dtype([("sex", "U1"), *((f"m{at}", np.float64) for at in range(7))])
    with _measured(), (folder / NAME).open() as file:
        while (some := np.loadtxt(file, kinds, delimiter=",", max_rows=_LINES, ndmin=1)).size:
            some = some[some["sex"] != "X"]
            sexes = some["sex"].astype(object)
            predict_fn(Rows([sexes, *(some[f"m{at}"] for at in range(7))], CSV), predictor)


class _measured:  # noqa: N801 - reads as a statement
    def __enter__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        # Not `resource`'s, which begins with that of the process that started this one.
        told = Path("/proc/self/status").read_text().split("VmHWM:")[1]
        peak = int(told.split()[0]) / 1024
        print(json.dumps({"CPU s": cpu, "wall s": wall, "peak MiB": peak}))


if __name__ == "__main__":
    import warnings

    warnings.filterwarnings("ignore", "loadtxt: input contained no data")
    side, inputs, extracted, own_home = sys.argv[1:]
    if side == "ours":
        _ours(Path(inputs), Path(extracted), Path(own_home))
    else:
        _peer(Path(inputs), Path(extracted))
