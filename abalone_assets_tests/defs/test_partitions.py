"""What a run says that was launched over anything but partitions, and what becomes of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import (
    AGE_JOB,
    INGEST_JOB,
    MONITOR_JOB,
    PARTITION_TAG,
    RANGE_START_TAG,
    day_range_tags,
)
from abalone_assets_tests.automation.support import files_below, name_of, requests
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.service
DAY = "2025-03-03"
TODAY = datetime.now(UTC).date()
SOON = (TODAY + timedelta(days=3)).isoformat()
CASES = {
    "a day that is written otherwise": ({PARTITION_TAG: "2025-3-3"}, "'2025-3-3', which is no"),
    "a day to come": ({PARTITION_TAG: "2999-01-01"}, "'2999-01-01', which is no partition: these"),
    "a range into the future": (
        day_range_tags(DayRange(TODAY.isoformat(), SOON)),
        f"{SOON!r}, which is no partition: these are the days 2023-01-01 to {TODAY}",
    ),
    "a range backwards": (
        day_range_tags(DayRange("2025-03-06", DAY)),
        f"2025-03-06 to {DAY}: the range ends before it begins",
    ),
    "no day": ({}, "launched without a day: choose partitions"),
    "half a range": ({RANGE_START_TAG: DAY}, "set without the other"),
}


@pytest.mark.parametrize("job", [INGEST_JOB, AGE_JOB, MONITOR_JOB])
@pytest.mark.parametrize("case", CASES)
def test_a_run_over_what_is_no_partition_says_so_and_writes_nothing(
    platform: Platform, job: str, case: str
) -> None:
    tags, message = CASES[case]
    platform.land(name_of(DAY), survey_rows(3))
    with pytest.raises(Exception, match=message):
        platform.run(job, dg.RunRequest(tags=tags))
    assert files_below(platform.home / "lake") == {}


@pytest.mark.parametrize("case", CASES)
def test_what_is_due_is_asked_for_after_such_a_run(platform: Platform, case: str) -> None:
    """Half a range ended each tick of the sensor, as long as its run was among the last hundred."""
    tags, _ = CASES[case]
    with suppress(Exception):  # Dagster refuses half a range when it has recorded the run
        platform.run(INGEST_JOB, dg.RunRequest(tags=tags))
    platform.land(name_of(DAY), survey_rows(3))
    (asked,) = requests(platform)
    assert platform.run(INGEST_JOB, asked).success
    assert platform.lake.manifest().rows_of(DAY) == 3
