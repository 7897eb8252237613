"""What thirty releases of fifty new rows leave on the disk, and whether versions come out again.

Late days, rewritten files and a deleted one are among them; the landing zone is emptied before the
last versions are made again from the lake alone. Settings are the defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.lake.lake import Lake
from abalone_assets.provenance.rebuild import rebuild
from abalone_assets.registry.open import open_registry
from abalone_assets.retention.collect import stored_kinds
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.automation.support import platform_in
from abalone_assets_tests.support.many_releases import bring, empty_landing_zone

if TYPE_CHECKING:
    from abalone_assets_tests.support.platform import Platform

FEW: Final = {"KEEP_VERSIONS": "2", "KEEP_VERSION_DAYS": "1"}
"""Settings with which most of thirty versions are old: what a release adds for good."""


def _sizes(platform: Platform) -> dict[str, int]:
    """Bytes of each part of the home."""
    parts = {path.name: _bytes(path) for path in platform.home.iterdir() if path.is_dir()}
    kept = _bytes(platform.home / "lake" / "_kept")
    return {**parts, "of that kept inputs": kept}


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(base: Path, releases: int, versions: int) -> dict[str, Any]:
    """Release, measure, empty the landing zone, and make the last versions again."""
    settings = {"RAW_URI": str(base), "HYPERPARAMETERS": "{}"}
    with (
        tempfile.TemporaryDirectory(prefix="thirty-") as folder,
        platform_in(Path(folder), **settings) as platform,
    ):
        grown: list[dict[str, int]] = []
        for number in range(1, releases + 1):
            bring(platform, number)
            grown.append(_sizes(platform))
        in_force = load_settings()
        registry, lake = open_registry(in_force), Lake(in_force.lake_uri)
        for kind in stored_kinds(in_force, datetime.now(UTC) + timedelta(days=2)):
            kind.free()
        swept = _sizes(platform)
        empty_landing_zone(platform)
        numbers = [each.version for each in registry.versions()][-versions:]
        verdicts, seconds = {}, []
        for number in numbers:
            began = time.perf_counter()
            rebuilt = rebuild(registry, lake, number, lambda _: None)
            seconds.append(time.perf_counter() - began)
            verdicts[number] = rebuilt.verdict
        for name, value in FEW.items():
            os.environ[f"ABALONE_{name}"] = value
        for kind in stored_kinds(load_settings(), datetime.now(UTC) + timedelta(days=9)):
            kind.free()
        few = _sizes(platform)
        first, last = grown[0], grown[-1]
        return {
            "releases": releases,
            "versions": len(registry.versions()),
            "bytes_per_release": {
                part: (last[part] - first.get(part, 0)) // (releases - 1) for part in last
            },
            "bytes_per_release_after_gc": {
                part: (swept[part] - first.get(part, 0)) // (releases - 1) for part in swept
            },
            "bytes_per_release_after_gc_to_few": {
                part: (few[part] - first.get(part, 0)) // (releases - 1) for part in few
            },
            "verdicts": verdicts,
            "reproduce_seconds_median": statistics.median(seconds),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, help="The base survey, such as UCI's file.")
    parser.add_argument("--releases", type=int, default=30)
    parser.add_argument("--versions", type=int, default=10, help="The last ones are made again.")
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.base, chosen.releases, chosen.versions), indent=1))


if __name__ == "__main__":
    main()
