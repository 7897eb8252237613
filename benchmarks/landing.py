"""From a landed file to an answer by the new version, with the daemon running and nobody near."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from abalone_assets.sample_data import base_survey
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.stack import Stack, running_stack

LANDINGS = 5


def main() -> None:
    """Land one survey after another, each when the one before is released and all is quiet."""
    environ = {
        "ABALONE_RAW_URI": str(base_survey()),
        "ABALONE_SENSOR_SECONDS": "5",
        "ABALONE_GATE_CHAMPION_TOLERANCE": "10",  # made-up rows make no better model
        "ABALONE_GATE_SLICE_TOLERANCE": "10",
    }
    seconds: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "home", environ) as stack,
    ):
        for number in range(LANDINGS):
            stack.await_release()
            seconds.append(_landed_to_live(stack, number))
    print("| landing to new version, s | median | min | max | n |")
    print("| --- | --- | --- | --- | --- |")
    print(
        f"| sensors at 5 s | {statistics.median(seconds):.1f} | {min(seconds):.1f} | "
        f"{max(seconds):.1f} | {len(seconds)} |"
    )


def _landed_to_live(stack: Stack, number: int) -> float:
    before = stack.live_version()
    stack.land(f"abalone.2025010{number + 1}120000", survey_rows(50, seed=number))
    return stack.await_(lambda: stack.live_version() != before, "a new version")
