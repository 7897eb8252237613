"""What a tick of the sensors costs while nothing is new: ``python -m benchmarks.ticks``.

For each number of files, spread over ten years, it makes a landing zone and a lake that holds it
all, then evaluates both sensors again and again. Nothing is ingested: the manifest is written as
an ingestion would. The peer is the least that a look without a hint can cost: ``scandir`` and
``stat``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

YEARS = 10
DAYS = 365 * YEARS
COUNTS = (1_000, 10_000, 100_000)
TICKS = 7


def main() -> None:
    """Measure each count in a process of its own and print JSON, a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments, _ = parser.parse_known_args()  # it may be one benchmark of several
    if arguments.inside:
        print(json.dumps(_measure(arguments.inside, arguments.files[0])))
        return
    for count in arguments.files:
        with tempfile.TemporaryDirectory() as home:
            first = (datetime.now(UTC) - timedelta(days=DAYS)).date().isoformat()
            environment = {
                **os.environ,
                "ABALONE_HOME": home,
                "ABALONE_FIRST_SURVEY_DAY": first,
                "ABALONE_RAW_URI": "file:///base",
                "DAGSTER_HOME": home,
            }
            inside = [sys.executable, "-m", "benchmarks.ticks", "--inside", home]
            subprocess.run([*inside, "--files", str(count)], env=environment, check=True)


def _measure(home: Path, count: int) -> dict[str, object]:
    from abalone_assets_tests.support.platform import Platform

    _fill(home, count)
    with Platform.at(home) as platform:
        for sensor in ("survey_sensor", "release_sensor"):
            for _ in range(3):  # the first looks read and remember
                assert not platform.tick(sensor).run_requests, platform.reasons
        sensors = {
            sensor: statistics.median(_cpu(lambda each=sensor: platform.tick(each)))
            for sensor in ("survey_sensor", "release_sensor")
        }
    zone = home / "landing_zone"
    look = statistics.median(_cpu(lambda: [entry.stat() for entry in os.scandir(zone)]))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "files": count,
        **{f"{sensor}_ms": round(1000 * cost, 1) for sensor, cost in sensors.items()},
        "scandir_and_stat_ms": round(1000 * look, 1),
        "peak_mib": round(memory),
        "ticks": TICKS,
        "load": os.getloadavg()[0],
    }


def _cpu(work: object) -> list[float]:
    costs = []
    for _ in range(TICKS):
        begun = time.process_time()
        work()  # type: ignore[operator]
        costs.append(time.process_time() - begun)
    return costs


def _fill(home: Path, count: int) -> None:
    from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
    from abalone_assets.lake.lake import Lake, Release
    from abalone_assets.lake.manifest import IngestedDay, IngestedFile, IngestedRaw, day_digest
    from abalone_assets.lake.manifest_store import commit_days, commit_raw

    zone, lake, day = home / "landing_zone", Lake(str(home / "lake")), datetime.now(UTC).date()
    zone.mkdir()
    names = [
        f"abalone.{day - timedelta(days=1 + number % DAYS):%Y%m%d}{number // DAYS:06}"
        for number in range(count)
    ]
    for name in names:
        (zone / name).write_bytes(b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n")
    found: dict[str, list[IngestedFile]] = {}
    for file in FolderLandingZone(zone).list_files():
        name = f"{file.name[8:12]}-{file.name[12:14]}-{file.name[14:16]}"
        entry = IngestedFile(file.name, file.size, file.e_tag, "0" * 64, rows=1, quarantined=0)
        found.setdefault(name, []).append(entry)
    days = {name: IngestedDay(day_digest(files), tuple(files)) for name, files in found.items()}
    for name in days:
        lake.store.write(lake.key("new_surveys", name), b"")
    commit_raw(lake.store, IngestedRaw("d", "file:///base", simulated=False, rows=9, quarantined=0))
    commit_days(lake.store, days)
    lake.record_release(
        Release(lake.manifest().digest, "rejected", "-", None, "-", datetime.now(UTC).isoformat())
    )


if __name__ == "__main__":
    main()
