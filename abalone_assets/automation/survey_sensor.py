"""The decisions of the sensor that has landed surveys ingested."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.automation.cursors import read_cursor
from abalone_assets.automation.day_requests import DayJob, requests_for
from abalone_assets.automation.look import Look, LookCursor, Subject, digest_of, named
from abalone_assets.automation.runs import INGEST_JOB, INGESTED_ASSETS, Runs
from abalone_assets.errors import counted
from abalone_assets.ingest.animals_pending import add_pending
from abalone_assets.ingest.landing_zone import Notifications
from abalone_assets.survey import SURVEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abalone_assets.automation.look import Findings, Lost
    from abalone_assets.ingest.landing_zone import Landing, LandingZone
    from abalone_assets.ingest.reconcile import Due
    from abalone_assets.lake.lake import Lake
    from abalone_assets.settings.platform import Settings

SURVEY_JOB: Final = DayJob(INGEST_JOB, INGESTED_ASSETS)
ALL_IN_THE_LAKE: Final = "every landed survey is in the lake"

LISTED_STRAYS: Final = 100


@dataclass(frozen=True)
class SurveyCursor(LookCursor):
    """What ``survey_sensor`` remembers.

    Attributes:
        reported_strays: Digest of the strays that were reported.
        pending: Old days that were due; each tick looks at them until they are in the lake.
    """

    reported_strays: str = ""
    pending: tuple[date, ...] = ()


def survey_tick(
    context: dg.SensorEvaluationContext, zone: LandingZone, lake: Lake, settings: Settings
) -> dg.SensorResult:
    """Ask for the ingestion of the days that are due, neither in flight nor backing off.

    It looks at the recent days, and at old ones that are known to be due or that the storage
    told of; at everything whenever ``reconcile_seconds`` have passed, and when files are missing;
    and at nothing while the folder's kernel says that nothing was written, for `SETTLED_SECONDS`.
    """
    with zone.notifications() as notified:
        if notified.problem:
            context.log.warning(notified.problem)
        cursor = read_cursor(SurveyCursor, context.cursor)
        look = Look.begun(_surveys(zone, lake), cursor, settings)
        if animals := look.old(notified.animals):
            add_pending(lake.store, animals)  # before the notification is given up
        if notified == Notifications() and look.may_be_left_out:
            return dg.SensorResult(skip_reason=ALL_IN_THE_LAKE, cursor=context.cursor)
        seen = look.at(look.old({*notified.days, *cursor.pending}))
        found = seen.revoke_lost(lake.lost_earlier_days).compare()
        requests, reason = _ingestion_requests(Runs.seen_by(context), found.due, settings)
        held = [*_told_of_lost(found.sight.lost, lake), *found.held_back()]
        for warning in held if requests else ():
            context.log.warning(warning)
        after = _cursor_after(cursor, found)
        news = seen.whole and after.reported_strays != (cursor.reported_strays or digest_of(()))
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=reason and "; ".join(filter(None, (reason, notified.problem, *held))),
            cursor=json.dumps(asdict(after), default=str),
            asset_events=_stray_events(seen.landing) if news else [],
        )


def _surveys(zone: LandingZone, lake: Lake) -> Subject:
    return Subject(
        kind=SURVEYS,
        zone=zone,
        lake=lake,
        records=lake.store,
        noun=SURVEY_JOB.noun,
        forget="abalone forget",
    )


def _cursor_after(cursor: SurveyCursor, found: Findings) -> SurveyCursor:
    seen = found.sight
    strays = digest_of([(stray.file.name, stray.problem) for stray in seen.landing.strays])
    return replace(
        cursor.after(found),
        reported_strays=strays if seen.whole else cursor.reported_strays,
        pending=found.old_due,
    )


def _told_of_lost(lost: Lost, lake: Lake) -> Iterator[str]:
    """What is lost, and what happens or has to."""
    place = lake.folder_uri("new_surveys")
    if lost.again:
        yield (
            f"{place}: the lake lost {counted(len(lost.again), 'survey day')} "
            f"({named(lost.again)}); they are ingested again"
        )
    if lost.for_good:
        yield (
            f"{place}: the lake lost {counted(len(lost.for_good), 'survey day')} "
            f"({named(lost.for_good)}) whose files are not in the landing zone either: no release "
            "can be made until they are back there, or forgotten: `abalone forget DAY…`"
        )


def _ingestion_requests(
    runs: Runs, due: Due, settings: Settings
) -> tuple[list[dg.RunRequest], str | None]:
    if not due.days:
        known = due.vanished or due.growing or due.unreadable
        reason = "nothing else is due" if known else ALL_IN_THE_LAKE
        return [], reason
    return requests_for(SURVEY_JOB, runs, due.days, settings, apart=due.vanished)


def _stray_events(landing: Landing) -> Sequence[dg.AssetObservation]:
    """One observation of the landing zone that lists all strays."""
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
