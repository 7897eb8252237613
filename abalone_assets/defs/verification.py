"""The night's look at what is stored: damage is told while there still is a copy."""

from datetime import UTC, datetime

import dagster as dg

from abalone_assets.automation.runs import VERIFY_JOB
from abalone_assets.defs.one_driver import unless_driven_by_another
from abalone_assets.settings.platform import load_settings


@dg.op
def compare_records_with_stores(context: dg.OpExecutionContext) -> None:
    """Compare what the records say with what is stored; fails when something is not as recorded."""
    from abalone_assets.doctor.verify.run import verify_at_night

    amiss = []
    for each in verify_at_night(load_settings(), datetime.now(UTC).toordinal()):
        level = context.log.info if each.outcome == "ok" else context.log.warning
        level("%s, %s: %s", each.subject, each.outcome, each.found)
        if each.outcome == "failed":
            amiss.append(f"{each.subject}: {each.found}. {each.remedy}")
    if amiss:
        raise dg.Failure("; ".join(amiss), allow_retries=False)


@dg.job(name=VERIFY_JOB)
def verify_stores_job() -> None:
    """Do what `abalone verify` does, of the survey days a night's share; changes nothing."""
    compare_records_with_stores()


@dg.schedule(
    job=verify_stores_job,
    cron_schedule="20 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
@unless_driven_by_another
def verify_schedule() -> dg.RunRequest:
    """Ask for a look every night; `alert_sensor` tells of one that failed."""
    return dg.RunRequest()
