"""What one release computes: processor seconds of training, evaluation and report.

In a process of its own, without imports, in turn with another revision (``--against``). The survey
is the UCI one where ``ABALONE_TEST_RAW`` says where it lies, else the bundled one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.sample_data import base_survey
from benchmarks.timing import OURS, Measured

if TYPE_CHECKING:
    from benchmarks.timing import Options

HERE: Final = Path(__file__).parent


def measure(options: Options) -> Measured:
    """The payload of this revision and, if given, of another."""
    survey = Path(os.environ.get("ABALONE_TEST_RAW") or base_survey())
    measured = Measured(
        "payload",
        notes=["Imports are left out; the report is made when the new version answers already."],
    )
    sides = {OURS: partial(_payload, HERE.parent, survey)}
    if options.against is not None:
        sides[f"ours of {options.against.name}"] = partial(_payload, options.against, survey)
    case = f"{survey.name}, {len(survey.read_bytes().splitlines()):,} rows"
    measured.alternate(sides, options.turns(5), case=case, warm_ups=0)
    return measured


def _payload(root: Path, survey: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(HERE / "payload_process.py"), str(survey)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    laps: dict[str, float] = json.loads(done.stdout.splitlines()[-1])["seconds"]
    laps.pop("imports and splits")
    judged = sum(seconds for part, seconds in laps.items() if part != "training")
    return {
        "all, CPU s": laps["training"] + judged,
        "training, CPU s": laps["training"],
        "evaluation and report, CPU s": judged,
    }
