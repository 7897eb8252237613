"""The decisions of the sensor that has landed surveys ingested."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.automation.cursors import read_cursor
from abalone_assets.automation.runs import INGEST_JOB, Runs, day_range_tags
from abalone_assets.ingest.reconcile import Due, find_due, plan_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abalone_assets.automation.runs import FailedAttempts
    from abalone_assets.ingest.landing_zone import Landing, LandingZone
    from abalone_assets.lake.lake import Lake
    from abalone_assets.settings.platform import Settings

MAX_REQUESTS: Final = 5
"""Ingestion runs that one tick asks for at the most."""

RECENT_DAYS: Final = 7
MAX_OLD_DAYS: Final = 16
"""Old days that a tick looks at one by one; for more of them it looks at everything."""

LISTED_STRAYS: Final = 100

DAYS_TAG: Final = "abalone/survey_days"


@dataclass(frozen=True)
class SurveyCursor:
    """What ``survey_sensor`` remembers; losing it costs a second look, nothing else.

    Attributes:
        reconciled_at: Unix time of the last look at all survey days.
        identical: Files written again with the same bytes: their latest token by name.
        strays: Files that were reported as strays: their token by name.
        pending: Old days that were due; each tick looks at them until they are in the lake.
    """

    reconciled_at: float = 0.0
    identical: dict[str, str] = field(default_factory=dict)
    strays: dict[str, str] = field(default_factory=dict)
    pending: tuple[date, ...] = ()


def survey_tick(
    context: dg.SensorEvaluationContext, zone: LandingZone, lake: Lake, settings: Settings
) -> dg.SensorResult:
    """Ask for the ingestion of the days that are due, neither in flight nor backing off.

    It looks at the recent days, and at old ones that are known to be due or that the storage
    told of; at everything whenever ``reconcile_seconds`` have passed.
    """
    with zone.notifications() as notified:
        if notified.problem:
            context.log.warning(notified.problem)
        cursor, now = read_cursor(SurveyCursor, context.cursor), time.time()
        first, today = settings.first_survey_day, datetime.now(UTC).date()
        recent = today - timedelta(days=RECENT_DAYS)
        old = {day for day in {*notified.days, *cursor.pending} if first <= day < recent}
        # A clock that was set back must not put the next look off until it has caught up.
        whole = not 0 <= now - cursor.reconciled_at < settings.reconcile_seconds
        whole = whole or len(old) > MAX_OLD_DAYS
        landing = zone.scan(first, today) if whole else zone.scan(first, today, recent, also=old)
        due = find_due(landing, lake.manifest(), zone.read, identical=cursor.identical)
        requests, reason = _ingestion_requests(Runs.seen_by(context), due, settings)
        pending = [day for day in map(date.fromisoformat, due.days) if day < recent]
        remembered = SurveyCursor(
            reconciled_at=now if whole else cursor.reconciled_at,
            identical=dict(due.identical) if whole else {**cursor.identical, **due.identical},
            strays=_strays(landing) if whole else cursor.strays,
            pending=tuple(pending[:MAX_OLD_DAYS]),
        )
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=reason and "; ".join(filter(None, (reason, notified.problem))),
            cursor=json.dumps(asdict(remembered), default=str),
            asset_events=_stray_events(landing, cursor) if whole else [],
        )


def _ingestion_requests(
    runs: Runs, due: Due, settings: Settings
) -> tuple[list[dg.RunRequest], str | None]:
    if due.vanished and not due.days:
        return [], (
            f"the files of {len(due.vanished)} survey days, {due.vanished[0]} to "
            f"{due.vanished[-1]}, are gone from the landing zone at once; the lake keeps their "
            "rows. If that is meant, backfill new_surveys over these days"
        )
    if not due.days:
        return [], "every landed survey is in the lake"
    in_flight = runs.days_in_flight()
    free = [day for day in due.days if not any(day in days for days in in_flight)]
    failures = runs.failures_by_day(free)
    waiting = _waiting(runs, failures, timedelta(seconds=settings.retry_seconds))
    ranges = plan_ranges(
        set(free) - waiting,
        failed={day: failed.days for day, failed in failures.items() if failed.days},
        apart={days.first for days in in_flight},
        limit=MAX_REQUESTS,
    )
    requests = [
        dg.RunRequest(tags={**day_range_tags(days), DAYS_TAG: f"{days.first} to {days.last}"})
        for days in ranges
    ]
    if requests:
        return requests, None
    return [], (
        f"{len(due.days)} survey days are due: {len(due.days) - len(free)} in flight, "
        f"{len(waiting)} wait after a failed run ({', '.join(sorted(waiting)[:3])})"
    )


def _waiting(runs: Runs, failures: Mapping[str, FailedAttempts], first_wait: timedelta) -> set[str]:
    """The failed days whose time has not come; all of them while every run fails."""
    now = datetime.now(UTC)
    lately = runs.failures(INGEST_JOB)
    if lately and lately.retry_at(first_wait) > now:
        return set(failures)
    return {day for day, failed in failures.items() if failed.retry_at(first_wait) > now}


def _strays(landing: Landing) -> dict[str, str]:
    return {stray.file.name: stray.file.e_tag for stray in landing.strays}


def _stray_events(landing: Landing, cursor: SurveyCursor) -> Sequence[dg.AssetObservation]:
    """One observation of the landing zone that lists all strays, when they are others now."""
    if cursor.strays == _strays(landing):
        return []
    shown = [
        dg.TableRecord({"file": each.file.name, "bytes": each.file.size, "problem": each.problem})
        for each in landing.strays[:LISTED_STRAYS]
    ]
    columns = [dg.TableColumn(name) for name in ("file", "bytes", "problem")]
    return [
        dg.AssetObservation(
            "landing_zone",
            description="Files that can be no survey; they are left where they are.",
            metadata={
                "stray_files": len(landing.strays),
                "files": dg.MetadataValue.table(shown, schema=dg.TableSchema(columns)),
            },
        )
    ]
