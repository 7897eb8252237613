"""A home in which two releases have ended, for stories that damage it: each gets it whole."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from abalone_assets_tests.automation.support import name_of, platform_in
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAYS = ["2025-03-03", "2025-03-04"]
BAD_ROW = b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,many\n"


@contextmanager
def finished_home(folder: Path) -> Iterator[Platform]:
    """A platform that has released two days, one after the other, each with a bad row."""
    with platform_in(folder, GATE_CHAMPION_TOLERANCE="10") as platform:
        for seed, day in enumerate(DAYS):
            platform.land(name_of(day), survey_rows(6, seed=seed) + BAD_ROW)
            platform.settle()
        yield platform


@contextmanager
def kept_whole(home: Path, kept: Path, *names: str) -> Iterator[None]:
    """Put these folders of a home back at the end, with the times of their files."""
    for name in names:
        shutil.copytree(home / name, kept / name)
    try:
        yield
    finally:
        for name in names:
            shutil.rmtree(home / name, ignore_errors=True)
            shutil.copytree(kept / name, home / name)
