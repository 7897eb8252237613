"""A run over many survey days, killed at several of its writes and tried again, as JSON lines.

``python -m benchmarks.killed_backfill --days 1000``: what was committed at the kill, and how many
days are lost, there twice, unrecorded or still due after the next attempt.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from abalone_assets_tests.support.killed_backfill import (
    environment,
    land,
    run_until_killed,
    try_again,
)


def main() -> None:
    """Count the writes of a whole run, then kill one at each moment of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=6)
    arguments, _ = parser.parse_known_args()
    days = arguments.days
    with tempfile.TemporaryDirectory() as folder:
        landed, home = Path(folder, "landed"), Path(folder, "home")
        land(landed, days)
        os.environ |= environment(home)
        shutil.copytree(landed, home)
        begun = time.perf_counter()
        writes = int(run_until_killed(home, days, 0))
        print(json.dumps({"days": days, "writes": writes, "s": time.perf_counter() - begun}))
        for kill in range(arguments.kills):
            shutil.rmtree(home)
            shutil.copytree(landed, home)
            write = 1 + round(kill * (writes - 1) / (arguments.kills - 1))
            run_until_killed(home, days, write)
            print(json.dumps({"killed at write": write, **asdict(try_again(home, days))}))


if __name__ == "__main__":
    main()
