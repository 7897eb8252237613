"""What one release computes, against another revision: processor seconds by part, as JSON.

Both revisions take turns in processes of their own. ``python -m benchmarks.payload --base PATH``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from abalone_assets.sample_data import base_survey

HERE = Path(__file__).parent


def main() -> None:
    """Print medians of both revisions, and the median of the pairs' ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=HERE.parent, help="a checkout of the other")
    parser.add_argument("--survey", type=Path, default=base_survey())
    parser.add_argument("--runs", type=int, default=3)
    # As `benchmarks` runs all of its modules with arguments of its own.
    arguments = parser.parse_known_args()[0]
    pairs = [
        [_measured(root, arguments.survey) for root in (HERE.parent, arguments.base)]
        for _ in range(arguments.runs)
    ]
    print(json.dumps({"n": len(pairs), "load": os.getloadavg(), "parts": _compared(pairs)}))


def _measured(root: Path, survey: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(HERE / "payload_process.py"), str(survey)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    laps: dict[str, float] = json.loads(done.stdout.splitlines()[-1])["seconds"]
    imports = laps.pop("imports and splits")
    judged = sum(seconds for part, seconds in laps.items() if part != "training")
    return {
        "imports and splits": imports,
        "training": laps["training"],
        "evaluation and report": judged,
        "without imports": laps["training"] + judged,
    }


def _compared(pairs: list[list[dict[str, float]]]) -> dict[str, Any]:
    return {
        part: {
            "ours": statistics.median(ours[part] for ours, _ in pairs),
            "base": statistics.median(base[part] for _, base in pairs),
            "ratio": statistics.median(ours[part] / base[part] for ours, base in pairs),
        }
        for part in pairs[0][0]
    }


if __name__ == "__main__":
    main()
