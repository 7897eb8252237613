"""The decision of the schedule that has captured requests read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import IN_FLIGHT, MONITOR_JOB, day_range_tags
from abalone_assets.monitoring.days import due_days

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.monitoring.captures import Captures
    from abalone_assets.settings.platform import Settings


def monitoring_request(
    context: dg.ScheduleEvaluationContext, captures: Captures, lake: Lake, settings: Settings
) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run over the days that are due, unless one is in flight.

    It covers the days between them too, whose rows it reads anew: see `due_days`.
    """
    filters = dg.RunsFilter(job_name=MONITOR_JOB, statuses=IN_FLIGHT)
    if context.instance.get_runs(filters, limit=1):
        return dg.SkipReason("a run reads captured requests already")
    today = datetime.now(UTC).date()
    due = due_days(captures, lake, today, settings.first_survey_day)
    if not due:
        return dg.SkipReason("every ended day of captured requests is in the lake")
    return dg.RunRequest(tags=day_range_tags(DayRange(due[0], due[-1])))
