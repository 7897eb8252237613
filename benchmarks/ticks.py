"""What a tick of the sensors costs while nothing is new, in a folder and on S3.

For each number of files, spread over ten years, it makes a landing zone and a lake that holds it
all, then evaluates both sensors again and again. Nothing is ingested: the manifest is written as
an ingestion would. The peer is the least that a look without a hint can cost: a listing of all.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.request import Request, urlopen

from benchmarks.timing import OURS, Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.ingest.landing_zone import LandingZone
    from benchmarks.timing import Options

DAYS: Final = 3650
COUNTS: Final = (1_000, 10_000, 100_000)
LONG: Final = 1_000_000
TICKS: Final = 7
SENSORS: Final = ("survey_sensor", "release_sensor")
ROW: Final = b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"
FOLDER: Final = "in a folder"
S3: Final = "on S3"
LISTING: Final = "a listing of all files"


def measure(options: Options) -> Measured:
    """Each count in a process of its own, in a folder and on S3."""
    measured = Measured(
        "ticks",
        notes=[
            "1,000 files lie on 1,000 days, the others on 3,650.",
            "The CPU is of the process that ticks; S3 is a server in memory, a process of its own.",
            "The peak is that of the first look, which reads all.",
        ],
    )
    counts = (
        *COUNTS[:1],
        *(() if options.quick else COUNTS[1:]),
        *((LONG,) if options.long else ()),
    )
    for place in ("a folder", "S3"):
        for count in counts:
            found = _measured(place, count, options)
            case = f"{count:,} files in {place}" if place != "S3" else f"{count:,} files on S3"
            measured.add(OURS, found[OURS], case=case)
            measured.add(LISTING, found[LISTING], case=case)
    return measured


def _measured(place: str, count: int, options: Options) -> dict[str, dict[str, list[float]]]:
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="abalone-ticks-"))
        first = (datetime.now(UTC) - timedelta(days=DAYS)).date().isoformat()
        environment = {
            "ABALONE_HOME": home,
            "ABALONE_FIRST_SURVEY_DAY": first,
            "ABALONE_RAW_URI": "file:///base",
            "DAGSTER_HOME": home,
        }
        if place == S3:
            environment |= stack.enter_context(_bucket())
        inside = [sys.executable, __file__, home, str(count), str(options.turns(TICKS))]
        environment["PYTHONPATH"] = str((options.against or Path(__file__).parents[1]).resolve())
        done = subprocess.run(
            inside, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE
        )
        found: dict[str, dict[str, list[float]]] = json.loads(done.stdout.splitlines()[-1])
        return found


@contextmanager
def _bucket() -> Iterator[dict[str, str]]:
    """A bucket in memory; the environment in which the platform finds it."""
    command = [sys.executable, "-m", "benchmarks.listed_bucket"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]) as server:
        assert server.stdout is not None
        try:
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{int(server.stdout.readline())}",
                "AWS_ACCESS_KEY_ID": "none",
                "AWS_SECRET_ACCESS_KEY": "none",
                "AWS_REGION": "us-east-1",
                "ABALONE_LANDING_ZONE_URI": "s3://bucket/landing_zone",
                "ABALONE_LAKE_URI": "s3://bucket/lake",
            }
        finally:
            server.terminate()


# In a process of its own ------------------------------------------------------------------------


def inside(home: Path, count: int, turns: int) -> dict[str, dict[str, list[float]]]:
    """Fill a home and tick."""
    from abalone_assets.settings.platform import load_settings
    from abalone_assets_tests.support.platform import Platform

    settings = load_settings()
    zone = _fill(settings.landing_zone_uri, settings.lake_uri, count)
    with Platform.at(home) as platform:
        for sensor in SENSORS:
            for _ in range(3):  # the first looks read and remember
                assert not platform.tick(sensor).run_requests, platform.reasons
        ours = {
            f"{sensor} CPU ms": _cpu(partial(platform.tick, sensor), turns) for sensor in SENSORS
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    folder = Path(settings.landing_zone_uri)
    if folder.is_dir():
        listing = _cpu(lambda: [entry.stat() for entry in os.scandir(folder)], turns)
    else:
        listing = _cpu(lambda: sum(1 for _ in zone.list_files()), turns)
    return {OURS: {**ours, "peak MiB": [peak]}, LISTING: {f"{SENSORS[0]} CPU ms": listing}}


def _cpu(work: Callable[[], object], turns: int) -> list[float]:
    costs = []
    for _ in range(turns):
        begun = time.process_time()
        work()
        costs.append(1000 * (time.process_time() - begun))
    return costs


def _fill(zone_uri: str, lake_uri: str, count: int) -> LandingZone:
    from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
    from abalone_assets.ingest.s3_landing_zone import S3LandingZone
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedDay, IngestedFile, IngestedRaw, day_digest
    from abalone_assets.lake.manifest_store import commit_days, commit_raw
    from abalone_assets.lake.releases import Release

    lake, today = Lake(lake_uri), datetime.now(UTC).date()
    names = [_name(today - timedelta(days=1 + each % DAYS), each // DAYS) for each in range(count)]
    zone: LandingZone
    if zone_uri.startswith("s3://"):
        zone = S3LandingZone(zone_uri)
        keys = "\n".join(f"landing_zone/{name}" for name in names).encode()
        urlopen(Request(os.environ["AWS_ENDPOINT_URL"], ROW + keys, method="POST"))
    else:
        zone = FolderLandingZone(Path(zone_uri))
        Path(zone_uri).mkdir()
        for name in names:
            Path(zone_uri, name).write_bytes(ROW)
    found: dict[str, list[IngestedFile]] = {}
    for file in zone.list_files():
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
    return zone


def _name(day: date, number: int) -> str:
    return f"abalone.{day:%Y%m%d}{number // 3600:02}{number // 60 % 60:02}{number % 60:02}"


if __name__ == "__main__":
    print(json.dumps(inside(Path(sys.argv[1]), *map(int, sys.argv[2:4]))))
