"""Failed ingestion runs: each day is tried again on its own, later and later, and holds up none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import polars as pl
import pytest

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.lake.manifest_store import revoke_days
from abalone_assets.lake.writers import Writer
from abalone_assets.local.instance import fail_orphaned_runs
from abalone_assets_tests.automation.support import (
    INGEST,
    SURVEY_SENSOR,
    Clock,
    block,
    ingest,
    ingested,
    name_of,
    ranges,
    requests,
)
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

POISONED, HEALTHY, LATER = "2025-03-03", "2025-03-04", "2025-03-06"
RETRY_SECONDS = 10


@pytest.fixture
def poison(platform: Platform) -> Path:
    """Two days have landed, of which one cannot be written to the lake."""
    platform.land(name_of(POISONED), survey_rows(3))
    platform.land(name_of(HEALTHY), survey_rows(3, seed=1))
    return block(platform, "new_surveys", POISONED)


@pytest.mark.usefixtures("poison")
def test_a_poisoned_day_holds_up_no_other(platform: Platform, clock: Clock) -> None:
    asked = requests(platform)
    assert ranges(asked) == [(POISONED, HEALTHY)]
    assert not platform.run(INGEST, asked[0], raise_on_error=False).success

    platform.land(name_of(LATER), survey_rows(3, seed=2))
    asked = requests(platform)
    assert ranges(asked) == [(LATER, LATER)], "a new day does not wait, nor bridge what failed"
    assert platform.run(INGEST, asked[0]).success

    clock.advance(seconds=RETRY_SECONDS)
    asked = requests(platform)
    assert ranges(asked) == [(POISONED, POISONED), (HEALTHY, HEALTHY)]
    outcomes = [platform.run(INGEST, request, raise_on_error=False).success for request in asked]
    assert outcomes == [False, True]
    committed = {day for day, entry in platform.lake.manifest().days.items() if entry.digest}
    assert committed == {HEALTHY, LATER}


def test_the_wait_doubles_with_each_failure_until_the_day_succeeds(
    platform: Platform, clock: Clock, poison: Path
) -> None:
    (platform.home / "landing_zone" / name_of(HEALTHY)).unlink()
    assert ingest(platform) == [False]
    assert requests(platform) == []
    assert POISONED in str(platform.tick(SURVEY_SENSOR).skip_reason)
    clock.advance(seconds=RETRY_SECONDS)
    assert ingest(platform) == [False]
    clock.reset()
    clock.advance(seconds=RETRY_SECONDS)
    assert requests(platform) == [], "the second wait is twice the first"
    clock.advance(seconds=RETRY_SECONDS)
    poison.unlink()
    assert ingest(platform) == [True]
    assert requests(platform) == []
    assert platform.lake.manifest().days[POISONED].rows == 3


def test_a_file_removed_between_tick_and_run_is_no_fault(platform: Platform) -> None:
    platform.land(name_of(POISONED), survey_rows(3))
    (request,) = requests(platform)
    (platform.home / "landing_zone" / name_of(POISONED)).unlink()
    assert platform.run(INGEST, request).success
    assert requests(platform) == []


def test_a_file_removed_while_it_is_parsed_leaves_its_day_due(
    platform: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = name_of(POISONED), name_of(POISONED, "130000")
    platform.land(first, survey_rows(3))
    platform.land(second, survey_rows(3, seed=1))
    read = FolderLandingZone.read

    def read_then_remove(zone: FolderLandingZone, name: str) -> bytes:
        (zone.folder / second).unlink()
        return read(zone, name)

    with monkeypatch.context() as patched:
        patched.setattr(FolderLandingZone, "read", read_then_remove)
        assert ingest(platform) == [False]
    assert platform.lake.manifest().days == {}
    clock.advance(seconds=RETRY_SECONDS)
    assert ingest(platform) == [True]
    assert [file.name for file in platform.lake.manifest().days[POISONED].files] == [first]


def test_a_rewritten_file_that_cannot_be_read_holds_up_no_other(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing it with what the lake holds once failed the tick, and so every day."""
    platform.land(name_of(POISONED), survey_rows(3))
    assert ingest(platform) == [True]
    platform.land(name_of(POISONED), survey_rows(3))
    platform.land(name_of(LATER), survey_rows(3, seed=2))
    read = FolderLandingZone.read

    def refuse(zone: FolderLandingZone, name: str) -> bytes:
        return read(zone, "missing" if name == name_of(POISONED) else name)

    monkeypatch.setattr(FolderLandingZone, "read", refuse)
    assert ranges(requests(platform)) == [(POISONED, POISONED), (LATER, LATER)]


def test_a_file_that_cannot_be_read_keeps_its_rows_though_a_run_over_its_day_died(
    platform: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = name_of(POISONED), name_of(POISONED, "130000")
    platform.land(first, survey_rows(3))
    assert ingest(platform) == [True]
    platform.land(second, survey_rows(4, seed=1))
    revoke_days(platform.lake.store, [POISONED], writer=Writer("a run that was killed", ended=True))
    read = FolderLandingZone.read

    def refuse(zone: FolderLandingZone, name: str) -> bytes:
        return read(zone, "missing" if name == first else name)

    with monkeypatch.context() as patched:
        patched.setattr(FolderLandingZone, "read", refuse)
        assert ingest(platform) == [True]
        assert ingested(platform) == {first: 3, second: 4}
    clock.advance(seconds=RETRY_SECONDS)
    assert ingest(platform) == [True], "it is read when it can be"
    assert not any(file.problem for file in platform.lake.manifest().days[POISONED].files)


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.support.platform import Platform

fatal, write = sys.argv[1], ObjectStore.write

def write_or_die(store, key, data, **options):
    if key == fatal and (key != "manifest.json" or write_or_die.writes > 2):
        os.kill(os.getpid(), signal.SIGKILL)
    write_or_die.writes += 1
    write(store, key, data, **options)

write_or_die.writes = 0
ObjectStore.write = write_or_die
with Platform.at(Path(os.environ["ABALONE_HOME"])) as platform:
    (request,) = platform.tick("survey_sensor").run_requests
    platform.run("ingest_surveys", request)
"""


@pytest.mark.parametrize(
    "fatal_write",
    [f"new_surveys/survey_day={HEALTHY}/data.parquet", "manifest.json"],
    ids=["between the days", "just before the commit"],
)
def test_a_run_that_is_killed_leaves_its_days_due(
    platform: Platform, clock: Clock, fatal_write: str
) -> None:
    platform.land(name_of(POISONED), survey_rows(3))
    assert ingest(platform) == [True]
    platform.land(name_of(POISONED), survey_rows(4, seed=1))  # its commit is revoked, then killed
    platform.land(name_of(HEALTHY), survey_rows(5, seed=2))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, fatal_write],
        env=dict(os.environ),
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    assert platform.lake.manifest().days[POISONED].digest == ""
    assert platform.lake.manifest().days[HEALTHY].digest == ""

    assert requests(platform) == [], "to the instance, the run is still in flight"
    assert len(fail_orphaned_runs(platform.instance)) == 1  # as `abalone dev` does when it starts
    clock.advance(seconds=RETRY_SECONDS)
    assert ingest(platform) == [True, True]
    assert requests(platform) == []
    for day, rows in {POISONED: 4, HEALTHY: 5}.items():
        assert platform.lake.manifest().days[day].rows == rows
        assert len(pl.read_parquet(platform.lake.uri("new_surveys", day))) == rows
