"""The decisions of the sensors, one function a tick."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import dagster as dg
from pydantic import TypeAdapter, ValidationError

from abalone_assets.automation.runs import DIGEST_TAG, Runs, day_range_tags
from abalone_assets.ingest.base_survey import public_uri
from abalone_assets.ingest.reconcile import Due, find_due, plan_ranges

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from abalone_assets.automation.runs import FailedAttempts
    from abalone_assets.ingest.landing_zone import Landing, LandingZone, Notifications, StrayFile
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedRaw
    from abalone_assets.settings.platform import Settings

_Cursor = TypeVar("_Cursor")

MAX_REQUESTS: Final = 5
"""Ingestion runs that one tick asks for at the most."""

RECENT_DAYS: Final = 7
MAX_OLD_DAYS: Final = 16
"""Old days that a tick looks at one by one; for more of them it looks at everything."""

LISTED_STRAYS: Final = 100

DAYS_TAG: Final = "abalone/survey_days"
LONGEST_RELEASE_WAIT: Final = timedelta(hours=24)
"""After failed releases of the same content: each may have paid for jobs and a fleet."""

SETTLE_SECONDS: Final = 60.0
"""Days that are due hold a release back no longer than this once the manifest has come to rest."""


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


@dataclass(frozen=True)
class ReleaseCursor:
    """What ``release_sensor`` remembers: the manifest's digest, and since when it has been so."""

    digest: str = ""
    since: float = 0.0


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
        return _survey_tick(context, zone, lake, settings, notified)


def _survey_tick(
    context: dg.SensorEvaluationContext,
    zone: LandingZone,
    lake: Lake,
    settings: Settings,
    notified: Notifications,
) -> dg.SensorResult:
    cursor = _remembered(SurveyCursor, context.cursor)
    now = time.time()
    recent = _today() - timedelta(days=RECENT_DAYS)
    old = {
        day
        for day in {*notified.days, *cursor.pending}
        if settings.first_survey_day <= day < recent
    }
    # A clock that was set back must not put the next look off until it has caught up.
    whole = not 0 <= now - cursor.reconciled_at < settings.reconcile_seconds
    whole = whole or len(old) > MAX_OLD_DAYS
    landing = zone.scan(
        settings.first_survey_day,
        _today(),
        None if whole else recent,
        also=() if whole else old,
    )
    due = find_due(landing, lake.manifest(), zone.read, identical=cursor.identical)
    requests, reason = _ingestion_requests(Runs.seen_by(context), due, settings)
    remembered = SurveyCursor(
        reconciled_at=now if whole else cursor.reconciled_at,
        identical=dict(due.identical) if whole else {**cursor.identical, **due.identical},
        strays={stray.file.name: stray.file.e_tag for stray in landing.strays}
        if whole
        else cursor.strays,
        pending=_old_days(due.days, recent)[:MAX_OLD_DAYS],
    )
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=reason and "; ".join(filter(None, (reason, notified.problem))),
        cursor=json.dumps(asdict(remembered), default=str),
        asset_events=_stray_events(landing, cursor) if whole else [],
    )


def _old_days(days: Collection[str], recent: date) -> tuple[date, ...]:
    return tuple(day for day in map(date.fromisoformat, days) if day < recent)


def _ingestion_requests(
    runs: Runs, due: Due, settings: Settings
) -> tuple[list[dg.RunRequest], str | None]:
    if not due.days:
        return [], _vanished_reason(due) or "every landed survey is in the lake"
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
    lately = runs.ingestion_failures()
    if lately and lately.retry_at(first_wait) > now:
        return set(failures)
    return {day for day, failed in failures.items() if failed.retry_at(first_wait) > now}


def _vanished_reason(due: Due) -> str | None:
    if not due.vanished:
        return None
    return (
        f"the files of {len(due.vanished)} survey days, {due.vanished[0]} to {due.vanished[-1]}, "
        "are gone from the landing zone at once; the lake keeps their rows. If that is meant, "
        "backfill new_surveys over these days"
    )


def _stray_events(landing: Landing, cursor: SurveyCursor) -> Sequence[dg.AssetObservation]:
    """One observation of the landing zone that lists all strays, when they are others now."""
    if cursor.strays == {stray.file.name: stray.file.e_tag for stray in landing.strays}:
        return []
    return [
        dg.AssetObservation(
            "landing_zone",
            description="Files that can be no survey; they are left where they are.",
            metadata={
                "stray_files": len(landing.strays),
                "files": _strays_table(landing.strays[:LISTED_STRAYS]),
            },
        )
    ]


def _strays_table(strays: Sequence[StrayFile]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {"file": stray.file.name, "bytes": stray.file.size, "problem": stray.problem}
            )
            for stray in strays
        ],
        schema=dg.TableSchema([dg.TableColumn(name) for name in ("file", "bytes", "problem")]),
    )


def release_tick(
    context: dg.SensorEvaluationContext,
    zone: LandingZone,
    lake: Lake,
    settings: Settings,
    released: dg.AssetSelection,
) -> dg.SensorResult:
    """Ask for one release when the lake holds something new and has come to rest.

    Args:
        context: Of the tick.
        zone: Where surveys land.
        lake: Where they are ingested.
        settings: For the days and the waits.
        released: Everything that a release makes, the base survey included.
    """
    manifest = lake.manifest()
    cursor = _remembered(ReleaseCursor, context.cursor)
    if cursor.digest != manifest.digest:
        cursor = ReleaseCursor(manifest.digest, time.time())
    reason = no_release_reason(context, lake, settings)
    reason = reason or _reason_to_wait(context, zone, lake, settings, cursor)
    return dg.SensorResult(
        run_requests=[] if reason else [release_request(context, lake, settings, released)],
        skip_reason=reason,
        cursor=json.dumps(asdict(cursor)),
    )


def no_release_reason(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext,
    lake: Lake,
    settings: Settings,
) -> str | None:
    """Why nothing can be released now, or None when something new has come to rest."""
    raw = lake.manifest().raw
    if not lake.release_due() and (raw is None or _is_asked_for(raw, settings)):
        return "nothing was ingested since the last release"
    in_flight = Runs.seen_by(context).in_flight()
    return f"{len(in_flight)} runs are in flight" if in_flight else None


def release_request(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext,
    lake: Lake,
    settings: Settings,
    released: dg.AssetSelection,
) -> dg.RunRequest:
    """A release of what the lake holds, with the base survey unless the lake has the right one.

    A simulated base survey is never the right one: the network may be back.

    Args:
        context: Of the tick.
        lake: What is released.
        settings: Say which base survey is asked for.
        released: Everything that a release makes, the base survey included.

    Raises:
        ValueError: The context has no repository to select from.
    """
    if context.repository_def is None:
        raise ValueError("a tick needs the repository whose assets it releases")
    manifest = lake.manifest()
    if manifest.raw and _is_asked_for(manifest.raw, settings) and not manifest.raw.simulated:
        released -= dg.AssetSelection.assets("raw_abalone")
    selected = released.resolve(context.repository_def.asset_graph)
    return dg.RunRequest(
        asset_selection=sorted(selected), tags={DIGEST_TAG: _digest_tag(manifest.digest)}
    )


def _digest_tag(digest: str) -> str:
    return digest[:12]


def _is_asked_for(raw: IngestedRaw, settings: Settings) -> bool:
    """Whether the lake's base survey is the one that the settings name."""
    expected = settings.raw_sha256.lower()
    return raw.uri == public_uri(settings.raw_uri) and (
        raw.simulated or expected in {"", raw.digest}
    )


def _reason_to_wait(
    context: dg.SensorEvaluationContext,
    zone: LandingZone,
    lake: Lake,
    settings: Settings,
    cursor: ReleaseCursor,
) -> str | None:
    if reason := _reason_to_back_off(Runs.seen_by(context), settings, cursor.digest):
        return reason
    if 0 <= time.time() - cursor.since < SETTLE_SECONDS:
        landing = zone.scan(settings.first_survey_day, _today())
        due = find_due(landing, lake.manifest(), zone.read)
        if due.days or due.undecided:
            return f"{len(due.days) + due.undecided} survey days are still to be ingested"
    return None


def _reason_to_back_off(runs: Runs, settings: Settings, digest: str) -> str | None:
    """Why failed releases hold the next one back: those of other content for an hour at most."""
    first_wait = timedelta(seconds=settings.retry_seconds)
    of_this = runs.release_failures(_digest_tag(digest))
    failed = runs.release_failures()
    if failed is None:
        return None
    retry_at = failed.retry_at(first_wait)
    if of_this is not None:
        retry_at = max(retry_at, of_this.retry_at(first_wait, LONGEST_RELEASE_WAIT))
    if retry_at <= datetime.now(UTC):
        return None
    return (
        f"{failed.count} releases failed; the next is tried at {retry_at:%Y-%m-%d %H:%M:%S} UTC, "
        "or at once when somebody launches the job release"
    )


def _remembered(kind: type[_Cursor], text: str | None) -> _Cursor:
    """The cursor, or a fresh one when there is none or it is damaged."""
    try:
        return TypeAdapter(kind).validate_json(text or "{}")
    except ValidationError:
        return kind()


def _today() -> date:
    return datetime.now(UTC).date()
