"""What the instance knows of runs: which are in flight, and how earlier attempts ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.ingest.reconcile import DayRange

if TYPE_CHECKING:
    from collections.abc import Sequence

RANGE_START_TAG: Final = "dagster/asset_partition_range_start"
RANGE_END_TAG: Final = "dagster/asset_partition_range_end"
PARTITION_TAG: Final = "dagster/partition"

ENDED: Final = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
IN_FLIGHT: Final = [status for status in dg.DagsterRunStatus if status not in ENDED]

INGEST_JOB: Final = "ingest_surveys"
RELEASE_JOB: Final = "release"
HISTORY: Final = 100
"""Latest runs of a job that count its failures."""

MAX_BACK_OFF: Final = timedelta(hours=1)


@dataclass(frozen=True)
class FailedAttempts:
    """Attempts that failed one after another: how many, and when the last one ended."""

    count: int
    last: datetime

    def retry_at(self, first_wait: timedelta) -> datetime:
        """The time of the next attempt: the wait doubles with each failure, up to an hour."""
        doubled = min(first_wait, MAX_BACK_OFF) * (1 << min(self.count - 1, 20))
        return self.last + min(doubled, MAX_BACK_OFF)


class Runs:
    """The runs of this platform, as its sensors see them."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance

    def days_in_flight(self) -> list[DayRange]:
        """The survey days that runs in flight are ingesting, whoever launched them."""
        return [days for run in self.in_flight() if (days := days_of(run))]

    def in_flight(self) -> list[dg.DagsterRun]:
        """The runs of this platform that are queued, starting, running or being cancelled."""
        runs = self.instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT))
        return [run for run in runs if _is_ours(run)]

    def failures_by_day(self, days: Sequence[str]) -> dict[str, FailedAttempts]:
        """The days whose latest ingestion runs failed."""
        history = [
            (covered, record)
            for record in self._history(INGEST_JOB)
            if (covered := days_of(record.dagster_run))
        ]
        failures = {
            day: _failures([record for covered, record in history if day in covered])
            for day in days
        }
        return {day: failed for day, failed in failures.items() if failed}

    def release_failures(self) -> FailedAttempts | None:
        """The failures since the last release that came to its end."""
        return _failures(self._history(RELEASE_JOB))

    def _history(self, job: str) -> Sequence[dg.RunRecord]:
        return self.instance.get_run_records(
            dg.RunsFilter(job_name=job, statuses=ENDED), limit=HISTORY
        )


def days_of(run: dg.DagsterRun) -> DayRange | None:
    """The partitions of a run as its tags say them, or None for a run without partitions."""
    if RANGE_START_TAG in run.tags:
        return DayRange(run.tags[RANGE_START_TAG], run.tags[RANGE_END_TAG])
    day = run.tags.get(PARTITION_TAG)
    return DayRange(day, day) if day else None


def day_range_tags(days: DayRange) -> dict[str, str]:
    """The tags that make one run cover all of these partitions."""
    return {
        RANGE_START_TAG: days.first,
        RANGE_END_TAG: days.last,
    }


def _is_ours(run: dg.DagsterRun) -> bool:
    """Whether it is one of our jobs, or materializes assets by name (a backfill, the UI)."""
    return run.job_name in {INGEST_JOB, RELEASE_JOB} or bool(run.asset_selection)


def _failures(records: Sequence[dg.RunRecord]) -> FailedAttempts | None:
    """The unbroken failures at the head of records that are sorted latest first."""
    failed: list[dg.RunRecord] = []
    for record in records:
        if record.dagster_run.status is dg.DagsterRunStatus.SUCCESS:
            break
        failed.append(record)
    if not failed:
        return None
    ended = failed[0].end_time or failed[0].update_timestamp.timestamp()
    return FailedAttempts(len(failed), datetime.fromtimestamp(ended, UTC))
