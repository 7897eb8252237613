"""The decision of the sensor that tells people what needs them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.alerts.matters import (
    TOLD_KEY,
    Matter,
    Situation,
    news_of,
    read_told,
    told_after,
)
from abalone_assets.alerts.models import endpoint_situation, lake_situation
from abalone_assets.alerts.recipients import recipients_of, send_to_all
from abalone_assets.alerts.surveys import zone_situation
from abalone_assets.automation.cursors import read_cursor
from abalone_assets.automation.runs import (
    AGE_JOB,
    DEPLOY_JOB,
    GC_JOB,
    INGEST_JOB,
    MONITOR_JOB,
    RELEASE_JOB,
    SWEEP_JOB,
    VERIFY_JOB,
    Runs,
)

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.settings.platform import Settings

WATCHED_JOBS: Final = (
    INGEST_JOB,
    RELEASE_JOB,
    DEPLOY_JOB,
    MONITOR_JOB,
    AGE_JOB,
    GC_JOB,
    VERIFY_JOB,
    SWEEP_JOB,
)
STRAYS: Final = "strays"
_LISTED_STRAYS: Final = 5
_MOST_OF_AN_ERROR: Final = 300


@dataclass(frozen=True)
class AlertCursor:
    """What ``alert_sensor`` remembers.

    Attributes:
        misses: How many looks in a row found the endpoint silent.
        zone_misses: How many found the landing zone gone.
    """

    misses: int = 0
    zone_misses: int = 0


def alert_tick(
    context: dg.SensorEvaluationContext, lake: Lake, settings: Settings
) -> dg.SensorResult:
    """Send one message with what is news since the last one, if anything is.

    What was told is written after it was sent: a tick that dies in between tells it twice rather
    than never.

    Raises:
        AlertError: Nobody could be told; the next tick tries again.
        StorageError: The lake or the registry refuses.
    """
    recipients = recipients_of(settings.notify.get_secret_value())
    if not recipients:
        return dg.SensorResult(skip_reason="ABALONE_NOTIFY names nobody to tell")
    cursor = read_cursor(AlertCursor, context.cursor)
    endpoint, misses = endpoint_situation(settings, lake.release(), cursor.misses)
    zone, zone_misses = zone_situation(settings, lake, cursor.zone_misses)
    looks = (lake_situation(lake, settings), endpoint, zone)
    situation = Situation.joined((*looks, _run_situation(context), _strays(context)))
    told = read_told(lake.store)
    news = news_of(told, situation)
    after = json.dumps(asdict(AlertCursor(misses, zone_misses)))
    if not news:
        return dg.SensorResult(skip_reason="nothing is new", cursor=after)
    if until := told.quiet_until(datetime.now(UTC)):
        reason = f"{news.title}: told at {until:%H:%M:%S} UTC, ten minutes after the last message"
        return dg.SensorResult(skip_reason=reason, cursor=after)
    for problem in send_to_all(recipients, news.title, news.text):
        context.log.warning(problem)
    lake.store.write_json(TOLD_KEY, asdict(told_after(told, situation)))
    names = ", ".join(recipient.name for recipient in recipients)
    return dg.SensorResult(skip_reason=f"told {names}: {news.title}", cursor=after)


def _run_situation(context: dg.SensorEvaluationContext) -> Situation:
    """The jobs whose last run failed.

    Nobody can say while a run is in flight, after one that somebody stopped, and where there is
    none: the instance may be a new one.
    """
    runs = Runs.seen_by(context)
    busy = {run.job_name for run in runs.in_flight()}
    return Situation.joined(_situation_of(runs, job, in_flight=job in busy) for job in WATCHED_JOBS)


def _situation_of(runs: Runs, job: str, *, in_flight: bool) -> Situation:
    key, ended = f"job:{job}", runs.last_ended(job)
    if in_flight or ended is None or ended.status is dg.DagsterRunStatus.CANCELED:
        return Situation(undecided=frozenset({key}))
    failed = runs.failures(job)
    if failed is None:
        return Situation()
    often = "once" if failed.count == 1 else f"{failed.count} times, one after another"
    error = runs.error_of(failed.run_id)[:_MOST_OF_AN_ERROR]
    text = (
        f"The job {job} failed {often}, last at {failed.last:%Y-%m-%d %H:%M} UTC in run "
        f"{failed.run_id}: {error}"
    )
    return Situation((Matter(key, f"the job {job} failed", text),))


def _strays(context: dg.SensorEvaluationContext) -> Situation:
    """The files that can be no survey, as `survey_sensor` observed them last: one matter."""
    found = context.instance.fetch_observations(dg.AssetKey("landing_zone"), limit=1).records
    observed = found[0].asset_observation if found else None
    metadata = observed.metadata if observed else {}
    count, shown = metadata.get("stray_files"), metadata.get("files")
    if not isinstance(count, dg.IntMetadataValue) or not isinstance(shown, dg.TableMetadataValue):
        return Situation(undecided=frozenset({STRAYS}))  # not of this instance, or of somebody else
    if not count.value:
        return Situation()
    lines = [f"{each.data['file']}: {each.data['problem']}" for each in shown.records]
    what = (
        "1 file in the landing zone is"
        if count.value == 1
        else (f"{count.value} files in the landing zone are")
    )
    text = f"{what} no survey: {'; '.join(lines[:_LISTED_STRAYS])}"
    more = f", and {count.value - _LISTED_STRAYS} more" if count.value > _LISTED_STRAYS else ""
    which = hashlib.sha256("\n".join([str(count.value), *lines]).encode()).hexdigest()[:16]
    return Situation((Matter(STRAYS, f"{what} no survey", f"{text}{more}", which),))
