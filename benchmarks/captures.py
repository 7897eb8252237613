"""A backfill of a year of captured requests: one run over all days, in a process of its own.

``python -m benchmarks captures``: a capture file for each hour, as a busy endpoint writes them, of
which some requests were refused; and what reading the same lines as JSON costs alone.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abalone_assets.monitoring.captures import Captures

FIRST = date(2025, 1, 1)
DAYS = 365
HOURS = 24
REQUESTS = 20
"""Of a file; each tenth was refused, the others asked for two animals."""


def main() -> None:
    """Measure a quarter and a year, each in a process."""
    columns = "days | files | requests | animals | CPU ms a day | wall ms a day"
    print(f"| {columns} | as JSON alone, CPU ms a day | peak MiB | days lost | load |")
    print(f"| {' | '.join(['---'] * 10)} |")
    for days in (DAYS // 4, DAYS):
        load = os.getloadavg()[0]
        command = [sys.executable, "-m", "benchmarks.captures", str(days)]
        with tempfile.TemporaryDirectory() as folder:
            environ = {**os.environ, "ABALONE_HOME": f"{folder}/home"}
            environ["ABALONE_FIRST_SURVEY_DAY"] = FIRST.isoformat()
            done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"| {' | '.join(map(str, found.values()))} | {load:.1f} |", flush=True)


def run(days: int) -> dict[str, Any]:
    """Write the capture files of some days into the home, and have one run read them."""
    import dagster as dg

    from abalone_assets.automation.day_ranges import DayRange
    from abalone_assets.automation.runs import MONITOR_JOB, day_range_tags
    from abalone_assets.definitions import defs
    from abalone_assets.ingest.frames import to_parquet
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.last_drift import LastDrift
    from abalone_assets.local.instance import home_environment, prepare_instance
    from abalone_assets.local.run import LocalPlatform
    from abalone_assets.monitoring.captures import Captures
    from abalone_assets.storage.object_store import ObjectStore

    home = Path(os.environ["ABALONE_HOME"])
    with home_environment(home) as settings:
        prepare_instance(settings)
        lake = Lake(settings.lake_uri)
        captures = Captures(ObjectStore(settings.capture_folder), settings.endpoint_name)
        requests = write(captures, days)
        lake.store.write(lake.key("train_split"), to_parquet(_split()))
        alone = _parse_alone(captures)
        with dg.DagsterInstance.get() as instance:
            platform = LocalPlatform(defs(), instance, quiet=True)
            last = FIRST + timedelta(days=days - 1)
            tags = day_range_tags(DayRange(FIRST.isoformat(), last.isoformat()))
            cpu, wall = time.process_time(), time.perf_counter()
            platform.run(MONITOR_JOB, dg.RunRequest(tags=tags))
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            recorded = len(instance.get_materialized_partitions(dg.AssetKey("captured_requests")))
        read, report = LastDrift(lake).days().files, LastDrift(lake).numbers()
    assert report is not None
    whole = sum(files == HOURS for files in read.values())
    return {
        "days": days,
        "files": days * HOURS,
        "requests": requests,
        "animals": days * HOURS * REQUESTS * 9 // 10 * 2,
        "cpu_ms_a_day": round(1000 * cpu / days, 1),
        "wall_ms_a_day": round(1000 * wall / days, 1),
        "alone_cpu_ms_a_day": round(1000 * alone / days, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "lost": days - min(whole, recorded),
    }


def write(captures: Captures, days: int) -> int:
    """A capture file for each hour; returns how many requests they hold."""
    from abalone_assets.serving.capture import CapturedRequest
    from abalone_assets.serving.refusals import RefusedRequest

    animals = [line.rpartition(",") for line in _lines()]
    number = 0
    for hour in range(days * HOURS):
        at = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(hours=hour)
        lines = []
        for turn in range(REQUESTS):
            if turn % 10 == 0:
                refused = RefusedRequest("sex", 400, "text/csv", 40, 1, time=at)
                lines.append(refused.to_json_line())
                continue
            pair = [animals[(number + each) % len(animals)] for each in (0, 1)]
            number += 2
            asked = "".join(f"{animal}\n" for animal, _, _ in pair).encode()
            answer = "".join(f"{rings}.25\n" for _, _, rings in pair).encode()
            request = CapturedRequest("text/csv", asked, "text/csv", answer, 1, time=at)
            lines.append(request.to_json_line())
        key = f"{captures.endpoint}/AllTraffic/{at:%Y/%m/%d/%H}/00-00-000.jsonl"
        captures.store.write(key, ("\n".join(lines) + "\n").encode())
    return days * HOURS * REQUESTS


def _parse_alone(captures: Captures) -> float:
    """CPU seconds of reading all files as JSON, and nothing else."""
    before = time.process_time()
    for day in captures.files_by_day():
        for key in captures.files_of(day):
            for line in captures.store.read(key).splitlines():
                json.loads(line)
    return time.process_time() - before


def _split() -> Any:  # noqa: ANN401 - a Polars frame
    import polars as pl

    from abalone_assets.sample_data import base_survey
    from abalone_assets.survey import FEATURES, parse_survey

    columns = parse_survey(base_survey().read_bytes(), "base").columns
    rows = len(columns["sex"])
    return pl.DataFrame(
        {
            **{name: columns[name] for name in (*FEATURES, "rings")},
            "source_file": ["base"] * rows,
            "origin": ["surveyed"] * rows,
        }
    )


def _lines() -> list[str]:
    from abalone_assets.sample_data import base_survey

    return base_survey().read_text().splitlines()


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
