"""How a home grows with its releases, and how it does when what is not kept goes each night.

A survey lands, is ingested and released, in this process, on the home's real instance; then
`abalone gc` runs as the schedule has it, two days later by its clock. What it freed is added up, so
that one home tells both: with it, and as large as it would be without.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import dagster as dg

from abalone_assets import definitions
from abalone_assets.automation.old_runs import RunRules, run_kinds
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.local.instance import home_environment, prepare_instance
from abalone_assets.local.run import LocalPlatform
from abalone_assets.retention.collect import stored_kinds
from abalone_assets.retention.kind import bytes_of
from abalone_assets_tests.support.platform import small_base, survey_rows

if TYPE_CHECKING:
    from abalone_assets.retention.kind import Kind
    from abalone_assets.settings.platform import Settings

KEPT = {"KEEP_VERSIONS": "5", "KEEP_VERSION_DAYS": "1", "KEEP_RUNS": "100"}
"""Few, so that all of them are reached soon; the shape is that of the defaults."""


def main() -> None:
    """Release, collect and measure; print a row for each that was asked for, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--releases", type=int, default=60)
    parser.add_argument("--every", type=int, default=10, help="releases between two rows")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, _environment(folder)),
        home_environment(Path(folder, "home")) as settings,
    ):
        prepare_instance(settings)
        with dg.DagsterInstance.get() as instance:
            platform = LocalPlatform(definitions.defs(), instance, quiet=True)
            for number in range(1, chosen.releases + 1):
                row = _one_release(platform, settings, number)
                if number % chosen.every == 0 or number == 1:
                    print(json.dumps(row), flush=True)


def _environment(folder: str) -> dict[str, str]:
    variables = {**small_base(Path(folder)), **KEPT, "SETTLE_SECONDS": "0"}
    variables["GATE_CHAMPION_TOLERANCE"] = "10"  # every model is approved
    return {f"ABALONE_{name}": value for name, value in variables.items()}


_freed: Counter[str] = Counter()


def _one_release(platform: LocalPlatform, settings: Settings, number: int) -> dict[str, Any]:
    day = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number)
    zone = FolderLandingZone(Path(settings.landing_zone_uri))
    zone.land(f"abalone.{day:%Y%m%d}120000", survey_rows(6, seed=number))
    began = time.monotonic()
    platform.settle()
    released = time.monotonic() - began
    began = time.monotonic()
    kinds = kinds_after_two_days(platform.instance, settings)
    for kind in kinds:
        _freed[kind.name] += bytes_of(kind.free())
    return {
        "releases": number,
        "release_s": round(released, 1),
        "gc_s": round(time.monotonic() - began, 2),
        "stays": {kind.name: bytes_of(kind.kept) for kind in kinds},
        "freed": dict(_freed),
        "home": sum(path.stat().st_size for path in settings.home.rglob("*") if path.is_file()),
        "index": _size(settings.dagster_home / "history" / "runs" / "index.db"),
    }


def kinds_after_two_days(instance: dg.DagsterInstance, settings: Settings) -> list[Kind]:
    """All that does not stay for ever, by a clock two days ahead: what is young stays."""
    later = datetime.now(UTC) + timedelta(days=2)
    rules = RunRules(settings.keep_runs, settings.keep_run_days)
    return [
        *stored_kinds(settings, later),
        *run_kinds(instance, rules, later),
    ]


def _size(path: Path) -> int:
    return path.stat().st_size


if __name__ == "__main__":
    main()
