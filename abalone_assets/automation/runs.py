"""What the instance knows of runs: which are in flight, and how earlier attempts ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets import CODE_LOCATION
from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.back_off import doubled
from abalone_assets.errors import counted
from abalone_assets.lake.names import AGED_ANIMALS, QUARANTINED_ANIMALS, UNAGED_ANIMALS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

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
DEPLOY_JOB: Final = "deploy"
AGE_JOB: Final = "age_animals"
SWEEP_JOB: Final = "stop_orphaned_jobs"
MONITOR_JOB: Final = "monitor_requests"
GC_JOB: Final = "collect_garbage"
VERIFY_JOB: Final = "verify_stores"
JOBS: Final = frozenset(
    {
        *(INGEST_JOB, RELEASE_JOB, DEPLOY_JOB, AGE_JOB, SWEEP_JOB, MONITOR_JOB),
        *(GC_JOB, VERIFY_JOB, "log_to_mlflow", "simulate_survey", "search_hyperparameters"),
    }
)
"""All that are defined."""

DEPLOYED_ASSET: Final = dg.AssetKey("endpoint")
INGESTED_ASSETS: Final = frozenset(map(dg.AssetKey, ("new_surveys", "quarantined_rows")))
"""The partitions of others are days of something else."""
ANIMALS_ASSETS: Final = frozenset(
    map(dg.AssetKey, (UNAGED_ANIMALS, QUARANTINED_ANIMALS, AGED_ANIMALS))
)

HISTORY: Final = 100
"""Latest runs of a job that count its failures."""

MAX_BACK_OFF: Final = timedelta(hours=1)
MAX_PAID_BACK_OFF: Final = timedelta(hours=24)
"""Of releases of the same content and of deployments of the same decision: each may have paid for
jobs and a fleet."""

DIGEST_TAG: Final = "abalone/digest"
DECISION_TAG: Final = "abalone/decision"
"""On a run of `DEPLOY_JOB`: which decision it obeys."""


@dataclass(frozen=True)
class FailedAttempts:
    """Attempts that failed one after another.

    Attributes:
        last: When the last one ended.
        days: The survey days of the last one, if it had any.
        run_id: The last one's run.
    """

    count: int
    last: datetime
    days: DayRange | None = None
    run_id: str = ""

    def retry_at(self, first_wait: timedelta, longest: timedelta = MAX_BACK_OFF) -> datetime:
        """The time of the next attempt: the wait doubles with each failure, up to the longest."""
        return self.last + doubled(first_wait, self.count - 1, longest)

    def reason_to_wait(self, retry_at: datetime, now: datetime, noun: str, job: str) -> str | None:
        """Why the next attempt is put off; None when its time has come.

        Args:
            retry_at: When it is made.
            now: The time.
            noun: What one of them is called.
            job: That somebody may launch meanwhile.
        """
        if retry_at <= now:
            return None
        return (
            f"{counted(self.count, noun)} failed; the next is tried at "
            f"{retry_at:%Y-%m-%d %H:%M:%S} UTC, or at once when somebody launches the job {job}"
        )


class Runs:
    """The runs of this platform, as its sensors see them.

    Args:
        instance: Where they are recorded.
        assets: The platform's assets, by which runs of other jobs (backfills, the UI) are known.
    """

    def __init__(self, instance: dg.DagsterInstance, assets: Collection[dg.AssetKey]) -> None:
        self.instance = instance
        self.assets = frozenset(assets)

    @classmethod
    def seen_by(cls, context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext) -> Runs:
        """The runs as a tick sees them.

        Raises:
            ValueError: The context has no repository, so nobody knows which runs are ours.
        """
        if context.repository_def is None:
            raise ValueError("a tick needs the repository whose runs it looks at")
        return cls(context.instance, context.repository_def.asset_graph.get_all_asset_keys())

    def days_in_flight(
        self, job: str = INGEST_JOB, assets: Collection[dg.AssetKey] = INGESTED_ASSETS
    ) -> list[DayRange]:
        """The days that runs in flight of a job, or of its assets, are busy with."""
        wanted = frozenset(assets)
        return [
            days
            for run in self.in_flight()
            if (run.job_name == job or wanted & (run.asset_selection or set()))
            and (days := days_of(run))
        ]

    def in_flight(self) -> list[dg.DagsterRun]:
        """The runs of this platform that are queued, starting, running or being cancelled."""
        runs = self.instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT))
        return [run for run in runs if self._is_ours(run)]

    def before_a_release(self) -> list[dg.DagsterRun]:
        """Those of them that a release waits for: what ages animals changes nothing that it reads.

        On AWS that takes a job of many minutes, so who lands animals all day would hold it back.
        """
        return [run for run in self.in_flight() if not _ages_animals(run)]

    def deployments_in_flight(self) -> list[dg.DagsterRun]:
        """Those of them that end with a deployment: releases too, however they were launched."""
        jobs = {RELEASE_JOB, DEPLOY_JOB}
        return [
            run
            for run in self.in_flight()
            if DEPLOYED_ASSET in (run.asset_selection or ())
            or (run.job_name in jobs and not run.asset_selection)
        ]

    def _is_ours(self, run: dg.DagsterRun) -> bool:
        ours = not self.assets.isdisjoint(run.asset_selection or ())
        return ours or run.job_name in {INGEST_JOB, RELEASE_JOB, DEPLOY_JOB, AGE_JOB}

    def failures_by_day(
        self, days: Sequence[str], job: str = INGEST_JOB
    ) -> dict[str, FailedAttempts]:
        """The days whose latest runs of a job failed."""
        history = [
            (covered, record)
            for record in self._history(job)
            if (covered := days_of(record.dagster_run))
        ]
        failures = {
            day: _failures([record for covered, record in history if day in covered])
            for day in days
        }
        return {day: failed for day, failed in failures.items() if failed}

    def failures(self, job: str, tags: Mapping[str, str] | None = None) -> FailedAttempts | None:
        """The failures since the last run of a job that came to its end, whatever its days.

        Args:
            job: Such as `RELEASE_JOB`.
            tags: Count only runs that have these, such as the `DIGEST_TAG` that a tick gave them.
        """
        return _failures(self._history(job, tags))

    def last_ended(self, job: str) -> dg.DagsterRun | None:
        """The last run of a job that came to its end, however; None where there is none."""
        ended = self.instance.get_runs(dg.RunsFilter(job_name=job, statuses=ENDED), limit=1)
        return ended[0] if ended else None

    def error_of(self, run_id: str) -> str:
        """What ended a run, on one line: the innermost error of the first step that failed."""
        failures = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        for entry in failures:
            event = entry.dagster_event
            error = event.step_failure_data.error if event else None
            if error is not None:
                while error.cause is not None:
                    error = error.cause
                return " ".join(error.message.split())
        return "no step says why; its log may"

    def _history(self, job: str, tags: Mapping[str, str] | None = None) -> Sequence[dg.RunRecord]:
        return self.instance.get_run_records(
            dg.RunsFilter(job_name=job, statuses=ENDED, tags=tags), limit=HISTORY
        )


def _ages_animals(run: dg.DagsterRun) -> bool:
    """Whether a run does nothing else, whoever launched it."""
    selected = run.asset_selection or set()
    return run.job_name == AGE_JOB or (bool(selected) and selected <= ANIMALS_ASSETS)


def is_of_this_platform(run: dg.DagsterRun) -> bool:
    """Whether a run is not another project's, which may have a job `release`, too.

    What executed it alone, such as `dg launch`, records no code location: then the job decides.
    """
    origin = run.remote_job_origin
    return run.job_name in JOBS if origin is None else origin.location_name == CODE_LOCATION


def has_ended(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the instance knows a run, and it has come to its end."""
    run = instance.get_run_by_id(run_id) if run_id else None
    return run is not None and run.is_finished


def days_of(run: dg.DagsterRun) -> DayRange | None:
    """The partitions of a run as its tags say them, or None for a run without partitions.

    Whoever launches a run may give it half of a range, which then is none.
    """
    if day := run.tags.get(PARTITION_TAG):
        return DayRange(day, day)
    first, last = run.tags.get(RANGE_START_TAG), run.tags.get(RANGE_END_TAG)
    return DayRange(first, last) if first and last else None


def day_range_tags(days: DayRange) -> dict[str, str]:
    """The tags that make one run cover all of these partitions."""
    return {RANGE_START_TAG: days.first, RANGE_END_TAG: days.last}


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
    days = days_of(failed[0].dagster_run)
    return FailedAttempts(
        len(failed), datetime.fromtimestamp(ended, UTC), days, failed[0].dagster_run.run_id
    )
