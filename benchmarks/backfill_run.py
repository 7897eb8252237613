"""One run over many survey days in a new home, by whichever revision PYTHONPATH names; as JSON.

A file of its own, so that a checkout of another revision can be measured by the same code.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import time
from datetime import date, timedelta
from pathlib import Path

FIRST = date(2014, 1, 1)
ROWS = 40


def main() -> None:
    """Land the files, ingest all days in one run, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--every", type=int, default=1, help="a file on each such day")
    parser.add_argument("--postgres", default="", help="URL of a database for Dagster")
    parser.add_argument("--per-day", action="store_true", help="a run for each day instead")
    arguments = parser.parse_args()
    print(json.dumps(measure(**vars(arguments))))


def measure(
    home: Path, *, days: int, every: int, postgres: str, per_day: bool
) -> dict[str, object]:
    """Milliseconds a day of one run, and whether all of it was recorded."""
    os.environ["ABALONE_HOME"] = str(home)
    os.environ["ABALONE_FIRST_SURVEY_DAY"] = FIRST.isoformat()

    import dagster as dg

    from abalone_assets.automation.day_ranges import DayRange
    from abalone_assets.automation.runs import INGEST_JOB, day_range_tags
    from abalone_assets.definitions import defs
    from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
    from abalone_assets.lake.lake import Lake
    from abalone_assets.local.instance import home_environment, prepare_instance
    from abalone_assets.local.run import LocalPlatform
    from abalone_assets_tests.support.platform import survey_rows

    with home_environment(home) as settings:
        folder = prepare_instance(settings)
        if postgres:
            storage = _postgres_storage({"postgres_url": postgres})
            config = {"telemetry": {"enabled": False}, "storage": storage}
            (folder / "dagster.yaml").write_text(json.dumps(config))  # JSON is YAML
        dates = [(FIRST + timedelta(days=number)).isoformat() for number in range(days)]
        zone = FolderLandingZone(home / "landing_zone")
        for number, day in enumerate(dates[::every]):
            name = f"abalone.{day.replace('-', '')}120000"
            zone.land(name, survey_rows(ROWS, seed=number % 1000))  # more would be odd animals
        ranges = [(day, day) for day in dates] if per_day else [(dates[0], dates[-1])]
        keys = [dg.AssetKey("new_surveys"), dg.AssetKey("quarantined_rows")]
        with dg.DagsterInstance.get() as instance:
            platform = LocalPlatform(defs(), instance, quiet=True)
            cpu, wall = _cpu_seconds(), time.perf_counter()
            for first, last in ranges:
                tags = day_range_tags(DayRange(first, last))
                platform.run(INGEST_JOB, dg.RunRequest(tags=tags, asset_selection=keys))
            cpu, wall = _cpu_seconds() - cpu, time.perf_counter() - wall
            recorded = [len(instance.get_materialized_partitions(key)) for key in keys]
        ingested = len(Lake(str(home / "lake")).manifest().days)
    return {
        "days": days,
        "files": len(dates[::every]),
        "runs": len(ranges),
        "cpu_ms_a_day": round(1000 * cpu / days, 2),
        "wall_ms_a_day": round(1000 * wall / days, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "lost_days": days - min(ingested, *recorded),
    }


def _postgres_storage(config: dict[str, str]) -> dict[str, object]:
    """That of production: this revision's own, or Dagster's where there is none yet."""
    module = "abalone_assets.local.postgres_storage"
    if importlib.util.find_spec(module) is None:
        return {"postgres": config}
    return {"custom": {"module": module, "class": "PostgresStorage", "config": config}}


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
