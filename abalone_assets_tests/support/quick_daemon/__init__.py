"""Dagster's daemon at the pace of tests."""

from __future__ import annotations

import os
from pathlib import Path


def quick_daemon() -> dict[str, str]:
    """Variables of processes whose daemon shall look for work more often than Dagster's does."""
    before = os.environ.get("PYTHONPATH")
    folders = [str(Path(__file__).parent), *([before] if before else [])]
    return {"PYTHONPATH": os.pathsep.join(folders)}
