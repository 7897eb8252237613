"""The decisions of the sensor that has animals without rings taken in and aged."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.automation.cursors import read_cursor
from abalone_assets.automation.day_requests import MAX_REQUESTS, DayJob, requests_for
from abalone_assets.automation.runs import AGE_JOB, ANIMALS_ASSETS, Runs
from abalone_assets.automation.survey_sensor import (
    MAX_OLD_DAYS,
    RECENT_DAYS,
    SETTLED_SECONDS,
    digest_of,
    held_back,
    named,
)
from abalone_assets.errors import counted
from abalone_assets.ingest.animals_pending import PENDING_KEY, pending_days, settle_pending
from abalone_assets.ingest.memory import ANIMALS_MEMORY_KEY, Patience, read_memory, write_memory
from abalone_assets.ingest.reconcile import find_due, missing_days
from abalone_assets.lake.animals import AGED_KEY, Animals
from abalone_assets.lake.manifest_store import MANIFEST_KEY, revoke_days
from abalone_assets.lake.names import AGED_ANIMALS
from abalone_assets.survey import ANIMALS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.lake.lake import Lake
    from abalone_assets.settings.platform import Settings

ALL_AGED: Final = "every landed animal has its age"
ANIMALS_JOB: Final = DayJob(AGE_JOB, ANIMALS_ASSETS, "days of animals")


@dataclass(frozen=True)
class AnimalsCursor:
    """What ``animals_sensor`` remembers; losing it costs a second look, nothing else.

    Attributes:
        reconciled_at: Unix time of the last look at all days.
        missing: Digest of the days that are missing in a way that is not believed.
        settled: What the last look depended on, if it found every animal aged.
    """

    reconciled_at: float = 0.0
    missing: str = ""
    settled: str = ""


def animals_tick(
    context: dg.SensorEvaluationContext,
    zone: LandingZone,
    lake: Lake,
    settings: Settings,
    live_version: Callable[[], int | None],
) -> dg.SensorResult:
    """Ask for runs over the days whose files differ from the lake, or that have no ages yet.

    It looks at files as `survey_tick` does, which hands on what the storage tells of them.

    Args:
        context: Of the tick.
        zone: Where animals land.
        lake: Where they go.
        settings: The settings in force.
        live_version: Says which model is live; asked only when there are animals to age.
    """
    cursor, now = read_cursor(AnimalsCursor, context.cursor), time.time()
    first, today = settings.first_survey_day, datetime.now(UTC).date()
    animals = Animals(lake)
    depends_on = _what_a_look_depends_on(zone, animals, first, today)  # before the look begins
    manifest = animals.manifest()
    age = now - cursor.reconciled_at if now >= cursor.reconciled_at else float("inf")
    believed = age < max(SETTLED_SECONDS, settings.reconcile_seconds)
    lost = animals.lost_days(manifest)
    to_age = animals.days_to_age(manifest)
    if depends_on and depends_on == cursor.settled and believed and not (lost or to_age):
        return dg.SensorResult(skip_reason=ALL_AGED, cursor=context.cursor)
    recent = today - timedelta(days=RECENT_DAYS)
    pending = pending_days(lake.store)
    old = {day for day in pending if first <= day < recent}
    whole = age >= settings.reconcile_seconds or bool(lost) or len(old) > MAX_OLD_DAYS
    landing = (
        zone.scan(first, today, kind=ANIMALS)
        if whole
        else zone.scan(first, today, recent, also=old, kind=ANIMALS)
    )
    memory = read_memory(lake.store, ANIMALS_MEMORY_KEY)
    missing = digest_of(missing_days(landing, manifest, memory))
    if not whole and missing not in {digest_of(()), cursor.missing}:
        whole, landing = True, zone.scan(first, today, kind=ANIMALS)  # only that can tell
    again = [day for day in lost if day in landing.days or not manifest.summaries[day].files]
    if again:
        revoke_days(animals.records, again)
        manifest = animals.manifest()
    patience = Patience(**settings.patience, now=now)
    due = find_due(landing, manifest, zone.read, memory=memory, patience=patience)
    remembered = memory.after(landing, due.memory)
    if remembered != memory:
        write_memory(lake.store, remembered, ANIMALS_MEMORY_KEY)
    settle_pending(
        lake.store,
        pending,
        lambda day: landing.covers(day.isoformat()) or not first <= day < recent,
        [day for day in map(date.fromisoformat, due.days) if day < recent][:MAX_OLD_DAYS],
    )
    waiting = [day for day in to_age if day not in {*due.days, *lost}]
    runs = Runs.seen_by(context)
    requests, reasons = _requests(runs, due.days, due.vanished, waiting, settings, live_version)
    reasons += held_back(due, zone.uri, "days of animals", "abalone forget --animals")
    if for_good := sorted(set(lost) - set(again)):
        reasons.append(
            f"the lake lost {counted(len(for_good), 'day of animals')} ({named(for_good)}) whose "
            "files are not in the landing zone either: bring them back"
        )
    after = AnimalsCursor(
        reconciled_at=now if whole else cursor.reconciled_at,
        missing=missing if due.vanished else "",
        settled=depends_on if due.settled and remembered == memory and not lost else "",
    )
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "; ".join(reasons) or ALL_AGED,
        cursor=json.dumps(asdict(after)),
    )


def _requests(
    runs: Runs,
    due: Sequence[str],
    vanished: Sequence[str],
    waiting: Sequence[str],
    settings: Settings,
    live_version: Callable[[], int | None],
) -> tuple[list[dg.RunRequest], list[str]]:
    """The runs to ask for: over days whose files differ, then over those without ages."""
    requests: list[dg.RunRequest] = []
    reasons: list[str] = []
    if due:
        requests, reason = requests_for(ANIMALS_JOB, runs, due, settings, apart=vanished)
        reasons += [reason] if reason else []
    if not waiting:
        return requests, reasons
    if live_version() is None:
        reasons.append(
            f"no model is live yet, to age {counted(len(waiting), 'day of animals')} "
            f"({named(waiting)})"
        )
        return requests, reasons
    left = MAX_REQUESTS - len(requests)
    more, reason = requests_for(
        ANIMALS_JOB, runs, waiting, settings, apart=due, selection=[AGED_ANIMALS], limit=left
    )
    return [*requests, *more], reasons + ([reason] if reason else [])


def _what_a_look_depends_on(zone: LandingZone, animals: Animals, first: date, today: date) -> str:
    """Digest of everything that a look compares; empty when the landing zone cannot tell."""
    landed = zone.change_token()
    if landed is None:
        return ""
    documents = (
        animals.records.find(MANIFEST_KEY),
        *(animals.store.find(key) for key in (ANIMALS_MEMORY_KEY, AGED_KEY, PENDING_KEY)),
    )
    tokens = [found and found.e_tag for found in documents]
    return digest_of([landed, *tokens, first.isoformat(), today.isoformat()])
