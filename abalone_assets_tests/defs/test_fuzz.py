"""Whatever a run is said to be over, it ingests partitions, or says why not and writes nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abalone_assets.automation.runs import (
    AGE_JOB,
    INGEST_JOB,
    MONITOR_JOB,
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
)
from abalone_assets.defs.partitions import survey_days
from abalone_assets_tests.automation.support import files_below, name_of, ranges, requests
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.strategies import partition_keys

if TYPE_CHECKING:
    import dagster as dg

    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.service
EXAMPLES = int(os.environ.get("ABALONE_TEST_EXAMPLES", "500")) // 100
"""A run takes as long as many of the other questions that are asked."""
MOST_DAYS = 40
RANGES = st.fixed_dictionaries({RANGE_START_TAG: partition_keys, RANGE_END_TAG: partition_keys})
TAGS = st.one_of(
    st.fixed_dictionaries({PARTITION_TAG: partition_keys}),
    RANGES,
    st.fixed_dictionaries({RANGE_START_TAG: partition_keys}),
    st.fixed_dictionaries({RANGE_END_TAG: partition_keys}),
    st.fixed_dictionaries({PARTITION_TAG: partition_keys, RANGE_START_TAG: partition_keys}),
    st.just({}),
)


def _days(tags: dict[str, str]) -> list[str]:
    return [tags[tag] for tag in (PARTITION_TAG, RANGE_START_TAG, RANGE_END_TAG) if tag in tags]


def _is_long(tags: dict[str, str]) -> bool:
    """Whether Dagster takes minutes for it, before a step of ours begins."""
    try:
        ends = [datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) for day in _days(tags)]
    except ValueError:
        return False
    return bool(ends) and (max(ends) - min(ends)).days > MOST_DAYS


def _error(done: dg.ExecuteInProcessResult) -> str:
    (failed,) = [event for event in done.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert error is not None
    return str(error.cause.cls_name if error.cause else error.cls_name)


@pytest.mark.timeout(0 if EXAMPLES > 1000 else 300)
@pytest.mark.parametrize("job", [INGEST_JOB, AGE_JOB, MONITOR_JOB])
def test_a_run_over_anything_but_partitions_writes_nothing_and_says_why(
    platform: Platform, job: str
) -> None:
    platform.land(name_of("2025-03-03"), survey_rows(3))
    lake = platform.home / "lake"

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(TAGS.filter(lambda tags: not _is_long(tags)))
    def launch(tags: dict[str, str]) -> None:
        import dagster as dg

        before = files_below(lake)
        try:
            done = platform.run(job, dg.RunRequest(tags=tags), raise_on_error=False)
        except Exception:  # noqa: BLE001 - whatever Dagster says where it makes the run
            assert files_below(lake) == before
        else:
            days = _days(tags)
            over_partitions = bool(days) and all(map(survey_days.has_partition_key, days))
            if not done.success:
                assert files_below(lake) == before
                assert _error(done) == "PartitionError"
            assert done.success <= over_partitions
        asked = [day for days in ranges(requests(platform)) for day in days]
        assert all(map(survey_days.has_partition_key, asked))

    launch()
    assert all(map(survey_days.has_partition_key, platform.lake.manifest().summaries))
