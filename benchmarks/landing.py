"""From a landed file to an answer by the new version, with the daemon running and nobody near."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from abalone_assets.sample_data import base_survey
from abalone_assets_tests.platform import survey_rows
from abalone_assets_tests.stack import running_stack

LANDINGS = 5


def main() -> None:
    """Land one survey after another, each when the one before is released and all is quiet."""
    environ = {"ABALONE_RAW_URI": str(base_survey()), "ABALONE_SENSOR_SECONDS": "5"}
    seconds: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder) / "home", environ) as stack,
    ):
        stack.await_(lambda: stack.lake.release() is not None, "the first release")
        for number in range(LANDINGS):
            stack.await_release()
            before = stack.live_version()
            stack.land(f"abalone.2025010{number + 1}120000", survey_rows(50, seed=number))
            seconds.append(
                stack.await_(lambda v=before: stack.live_version() != v, "a new version")
            )
    print("| landing to new version, s | median | min | max | n |")
    print("| --- | --- | --- | --- | --- |")
    print(
        f"| sensors at 5 s | {statistics.median(seconds):.1f} | {min(seconds):.1f} | "
        f"{max(seconds):.1f} | {len(seconds)} |"
    )
