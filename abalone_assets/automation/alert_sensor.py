"""The decision of the sensor that tells people what needs them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.alerts.found import endpoint_situation, lake_situation
from abalone_assets.alerts.matters import (
    TOLD_KEY,
    Matter,
    Situation,
    news_of,
    read_told,
    told_after,
)
from abalone_assets.alerts.recipients import recipients_of, send_to_all
from abalone_assets.automation.cursors import read_cursor
from abalone_assets.automation.runs import (
    DEPLOY_JOB,
    INGEST_JOB,
    MONITOR_JOB,
    RELEASE_JOB,
    Runs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.lake.lake import Lake
    from abalone_assets.settings.platform import Settings

WATCHED_JOBS: Final = (INGEST_JOB, RELEASE_JOB, DEPLOY_JOB, MONITOR_JOB)
STRAYS: Final = "strays"
_MOST_OF_AN_ERROR: Final = 300


@dataclass(frozen=True)
class AlertCursor:
    """What ``alert_sensor`` remembers: how many looks in a row found the endpoint silent."""

    misses: int = 0


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
    endpoint, misses = endpoint_situation(settings, cursor.misses)
    situation = Situation.joined(
        (lake_situation(lake, settings), endpoint, _run_situation(context), _strays(context))
    )
    told = read_told(lake.store)
    news = news_of(told, situation)
    after = json.dumps(asdict(AlertCursor(misses)))
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
    """The jobs whose last run failed; while another one is in flight, nobody can say."""
    runs = Runs.seen_by(context)
    busy = {run.job_name for run in runs.in_flight()}
    return Situation.joined(
        Situation(undecided=frozenset({_key(job)}))
        if job in busy
        else Situation(tuple(_failed(runs, job)))
        for job in WATCHED_JOBS
    )


def _key(job: str) -> str:
    return f"job:{job}"


def _failed(runs: Runs, job: str) -> Iterator[Matter]:
    failed = runs.failures(job)
    if failed is not None:
        often = "once" if failed.count == 1 else f"{failed.count} times, one after another"
        error = runs.error_of(failed.run_id)[:_MOST_OF_AN_ERROR]
        yield Matter(
            _key(job),
            f"the job {job} failed",
            f"The job {job} failed {often}, last at {failed.last:%Y-%m-%d %H:%M} UTC in run "
            f"{failed.run_id}: {error}",
        )


def _strays(context: dg.SensorEvaluationContext) -> Situation:
    """The files that can be no survey, as `survey_sensor` observed them last."""
    found = context.instance.fetch_observations(dg.AssetKey("landing_zone"), limit=1).records
    observed = found[0].asset_observation if found else None
    shown = observed.metadata["files"] if observed else None
    if not isinstance(shown, dg.TableMetadataValue):
        return Situation()
    strays = {str(each.data["file"]): str(each.data["problem"]) for each in shown.records}
    matters = (
        Matter(
            f"stray:{name}",
            f"{name} is no survey",
            f"{name} lies in the landing zone and is no survey: {problem}",
        )
        for name, problem in strays.items()
    )
    return Situation(tuple(matters))
