"""The decisions of the sensor that has landed surveys ingested."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.automation.cursors import read_cursor
from abalone_assets.automation.day_requests import DayJob, requests_for
from abalone_assets.automation.runs import INGEST_JOB, INGESTED_ASSETS, Runs
from abalone_assets.errors import counted
from abalone_assets.ingest.animals_pending import add_pending
from abalone_assets.ingest.landing_zone import Notifications
from abalone_assets.ingest.memory import MEMORY_KEY, Patience, read_memory, write_memory
from abalone_assets.ingest.reconcile import Due, find_due, missing_days
from abalone_assets.lake.manifest_store import MANIFEST_KEY, revoke_days

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from abalone_assets.ingest.landing_zone import Landing, LandingZone
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import Manifest
    from abalone_assets.settings.platform import Settings

SURVEY_JOB: Final = DayJob(INGEST_JOB, INGESTED_ASSETS)

RECENT_DAYS: Final = 7
MAX_OLD_DAYS: Final = 16
"""Old days that a tick looks at one by one; for more of them it looks at everything."""

SETTLED_SECONDS: Final = 600
"""How long a look that found everything in the lake is believed while nothing is written."""

ALL_IN_THE_LAKE: Final = "every landed survey is in the lake"

LISTED_STRAYS: Final = 100
LISTED_NAMES: Final = 3


@dataclass(frozen=True)
class SurveyCursor:
    """What ``survey_sensor`` remembers; losing it costs a second look, nothing else.

    Every tick keeps a copy of it, so it stays small: what is known of single files lies in the
    lake, see `Memory`.

    Attributes:
        reconciled_at: Unix time of the last look at all survey days.
        reported_strays: Digest of the strays that were reported.
        missing: Digest of the recent days that are missing though a look at all days does not
            believe it; empty when there are none.
        pending: Old days that were due; each tick looks at them until they are in the lake.
        settled: What the last look depended on, if it found everything in the lake: as long as
            that stays the same, a tick need not look.
    """

    reconciled_at: float = 0.0
    reported_strays: str = ""
    missing: str = ""
    pending: tuple[date, ...] = ()
    settled: str = ""


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
        cursor, now = read_cursor(SurveyCursor, context.cursor), time.time()
        first, today = settings.first_survey_day, datetime.now(UTC).date()
        recent = today - timedelta(days=RECENT_DAYS)
        old = {day for day in {*notified.days, *cursor.pending} if first <= day < recent}
        if animals := {day for day in notified.animals if first <= day < recent}:
            add_pending(lake.store, animals)  # before the notification is given up
        depends_on = _what_a_look_depends_on(zone, lake, first, today)  # before the look begins
        # A clock that was set back must not put the next look off until it has caught up.
        age = now - cursor.reconciled_at if now >= cursor.reconciled_at else float("inf")
        same = bool(depends_on) and depends_on == cursor.settled and notified == Notifications()
        believed = age < max(SETTLED_SECONDS, settings.reconcile_seconds)
        if same and believed and not lake.lost_days(lake.manifest()):
            return dg.SensorResult(skip_reason=ALL_IN_THE_LAKE, cursor=context.cursor)
        whole = age >= settings.reconcile_seconds or len(old) > MAX_OLD_DAYS
        manifest = lake.manifest()
        landing = zone.scan(first, today) if whole else zone.scan(first, today, recent, also=old)
        memory = read_memory(lake.store)
        missing = digest_of(missing_days(landing, manifest, memory))
        if not whole and missing not in {digest_of(()), cursor.missing}:
            whole, landing = True, zone.scan(first, today)  # only a look at all days can tell
        lost = _lost(lake, manifest, landing) if whole else _Lost()
        unknown = lake.lost_earlier_days() if whole else []
        if lost.again or unknown:
            # A release in the meantime leaves them out.
            revoke_days(lake.store, [*lost.again, *unknown])
            manifest = lake.manifest()
        patience = Patience(**settings.patience, now=now)
        due = find_due(landing, manifest, zone.read, memory=memory, patience=patience)
        remembered = memory.after(landing, due.memory)
        if remembered != memory:
            write_memory(lake.store, remembered)
        requests, reason = _ingestion_requests(Runs.seen_by(context), due, settings)
        held = [
            notified.problem,
            *lost.warnings(lake),
            *held_back(due, zone.uri, "survey days", "abalone forget"),
        ]
        for warning in held[1:] if requests else ():
            context.log.warning(warning)
        settled = due.settled and remembered == memory and not (lost.again or lost.for_good)
        pending = [day for day in map(date.fromisoformat, due.days) if day < recent]
        strays = digest_of([(stray.file.name, stray.problem) for stray in landing.strays])
        after = SurveyCursor(
            reconciled_at=now if whole else cursor.reconciled_at,
            reported_strays=strays if whole else cursor.reported_strays,
            missing=missing if due.vanished else "",
            pending=tuple(pending[:MAX_OLD_DAYS]),
            settled=depends_on if settled else "",
        )
        news = whole and strays != (cursor.reported_strays or digest_of(()))
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=reason and "; ".join(filter(None, (reason, *held))),
            cursor=json.dumps(asdict(after), default=str),
            asset_events=_stray_events(landing) if news else [],
        )


def _what_a_look_depends_on(zone: LandingZone, lake: Lake, first: date, today: date) -> str:
    """Digest of everything that a look compares; empty when the landing zone cannot tell."""
    landed = zone.change_token()
    if landed is None:
        return ""
    documents = [lake.store.find(key) for key in (MANIFEST_KEY, MEMORY_KEY)]
    tokens = [found and found.e_tag for found in documents]
    return digest_of([landed, *tokens, first.isoformat(), today.isoformat()])


@dataclass(frozen=True)
class _Lost:
    """Days whose rows the manifest lists but whose objects are gone from the lake.

    Attributes:
        again: Those whose files lie in the landing zone, or that have none, so that they are
            ingested again.
        for_good: Those of which nothing is left.
    """

    again: Sequence[str] = ()
    for_good: Sequence[str] = ()

    def warnings(self, lake: Lake) -> Iterator[str]:
        """What is lost, and what happens or has to."""
        if self.again:
            yield (
                f"{lake.folder_uri('new_surveys')}: the lake lost "
                f"{counted(len(self.again), 'survey day')} ({named(self.again)}); they are "
                "ingested again"
            )
        if self.for_good:
            yield (
                f"{lake.folder_uri('new_surveys')}: the lake lost "
                f"{counted(len(self.for_good), 'survey day')} ({named(self.for_good)}) whose files "
                "are not in the landing zone either: no release can be made until they are back "
                "there, or forgotten: `abalone forget DAY…`"
            )


def _lost(lake: Lake, manifest: Manifest, landing: Landing) -> _Lost:
    days = lake.lost_days(manifest)
    gone = {day for day in days if manifest.summaries[day].files} - landing.days.keys()
    return _Lost([day for day in days if day not in gone], sorted(gone))


def digest_of(value: object) -> str:
    """A few characters that tell one JSON document from another."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def held_back(due: Due, zone: str, noun: str, forget: str) -> Iterator[str]:
    """What is not ingested though it landed, or kept though it is gone, and what to do.

    Args:
        due: What a look found.
        zone: The landing zone's URI.
        noun: What its days are called.
        forget: The command by which a person lets go of days.
    """
    if due.vanished:
        yield (
            f"{zone}: the files of {len(due.vanished)} {noun}, {due.vanished[0]} to "
            f"{due.vanished[-1]}, are gone at once, as if it had gone away; the lake keeps their "
            "rows. Bring the landing zone back (is it mounted? is ABALONE_LANDING_ZONE_URI right?)"
            f" or, if they were deleted on purpose, say so: `{forget} DAY…`"
        )
    if due.growing:
        yield (
            f"{counted(len(due.growing), 'file')} still being written ({named(due.growing)}), to "
            "be taken in when at rest"
        )
    if due.unreadable:
        name, failed = min(due.unreadable.items())
        yield (
            f"{counted(len(due.unreadable), 'file')} not to be read now, and tried again ({name}: "
            f"{failed.problem})"
        )


def named(names: Iterable[str]) -> str:
    """The first of some names."""
    listed = sorted(names)
    return ", ".join(listed[:LISTED_NAMES]) + (", …" if len(listed) > LISTED_NAMES else "")


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
