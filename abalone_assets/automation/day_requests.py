"""Which runs are asked for over days that are due, neither in flight nor backing off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.automation.day_ranges import plan_ranges
from abalone_assets.automation.runs import day_range_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from abalone_assets.automation.runs import FailedAttempts, Runs
    from abalone_assets.settings.platform import Settings

MAX_REQUESTS: Final = 5
"""Runs that one tick asks for at the most."""

DAYS_TAG: Final = "abalone/survey_days"


@dataclass(frozen=True)
class DayJob:
    """A job over ranges of days.

    Attributes:
        name: The job's.
        assets: By which runs of it are known, whoever launched them.
        noun: What its days are called.
    """

    name: str
    assets: frozenset[dg.AssetKey]
    noun: str = "survey days"


def requests_for(
    job: DayJob,
    runs: Runs,
    days: Sequence[str],
    settings: Settings,
    *,
    apart: Collection[str] = (),
    selection: Sequence[str] | None = None,
    limit: int = MAX_REQUESTS,
) -> tuple[list[dg.RunRequest], str | None]:
    """The runs to ask for, or why there are none.

    Args:
        job: That does it.
        runs: What the instance knows of runs.
        days: ISO dates that are due, at least one.
        settings: The settings in force.
        apart: Days that no range may bridge.
        selection: The assets of the job that are asked for; None for all.
        limit: The most runs.
    """
    in_flight = runs.days_in_flight(job.name, job.assets)
    free = [day for day in days if not any(day in covered for covered in in_flight)]
    failures = runs.failures_by_day(free, job.name)
    waiting = _waiting(job, runs, failures, timedelta(seconds=settings.retry_seconds))
    ranges = plan_ranges(
        set(free) - waiting,
        failed={day: failed.days for day, failed in failures.items() if failed.days},
        apart={*apart, *(covered.first for covered in in_flight)},
        limit=limit,
    )
    keys = None if selection is None else [dg.AssetKey(asset) for asset in selection]
    requests = [
        dg.RunRequest(
            tags={**day_range_tags(covered), DAYS_TAG: str(covered)}, asset_selection=keys
        )
        for covered in ranges
    ]
    if requests:
        return requests, None
    return [], (
        f"{len(days)} {job.noun} are due: {len(days) - len(free)} in flight, "
        f"{len(waiting)} wait after a failed run ({', '.join(sorted(waiting)[:3])})"
    )


def _waiting(
    job: DayJob, runs: Runs, failures: Mapping[str, FailedAttempts], first_wait: timedelta
) -> set[str]:
    """The failed days whose time has not come; all of them while every run fails."""
    now = datetime.now(UTC)
    lately = runs.failures(job.name)
    if lately and lately.retry_at(first_wait) > now:
        return set(failures)
    return {day for day, failed in failures.items() if failed.retry_at(first_wait) > now}
