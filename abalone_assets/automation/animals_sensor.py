"""The decisions of the sensor that has animals without rings taken in and aged."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.automation.cursors import read_cursor
from abalone_assets.automation.day_requests import MAX_REQUESTS, DayJob, requests_for
from abalone_assets.automation.look import Look, LookCursor, Subject, named
from abalone_assets.automation.runs import AGE_JOB, ANIMALS_ASSETS, Runs
from abalone_assets.errors import counted
from abalone_assets.ingest.animals_pending import PENDING_KEY, pending_days, settle_pending
from abalone_assets.lake.animals import AGED_KEY, Animals
from abalone_assets.lake.names import AGED_ANIMALS
from abalone_assets.survey import ANIMALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from abalone_assets.automation.look import Findings
    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.ingest.reconcile import Due
    from abalone_assets.lake.lake import Lake
    from abalone_assets.settings.platform import Settings

ALL_AGED: Final = "every landed animal has its age"
ANIMALS_JOB: Final = DayJob(AGE_JOB, ANIMALS_ASSETS, "days of animals")


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
    cursor, animals = read_cursor(LookCursor, context.cursor), Animals(lake)
    look = Look.begun(_animals(zone, animals), cursor, settings)
    to_age = animals.days_to_age(look.manifest)
    if look.may_be_left_out and not to_age:
        return dg.SensorResult(skip_reason=ALL_AGED, cursor=context.cursor)
    pending = pending_days(lake.store)
    seen = look.at(look.old(pending), whole=bool(look.lost_days))
    found = seen.revoke_lost().compare()
    _settle_pending(lake, pending, found)
    waiting = [day for day in to_age if day not in {*found.due.days, *look.lost_days}]
    runs = Runs.seen_by(context)
    requests, reasons = _requests(runs, found.due, waiting, settings, live_version)
    reasons += [*found.held_back(), *_told_of_lost(found.sight.lost.for_good)]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "; ".join(reasons) or ALL_AGED,
        cursor=json.dumps(asdict(cursor.after(found))),
    )


def _animals(zone: LandingZone, animals: Animals) -> Subject:
    return Subject(
        kind=ANIMALS,
        zone=zone,
        lake=animals,
        records=animals.records,
        noun=ANIMALS_JOB.noun,
        forget="abalone forget --animals",
        also=(AGED_KEY, PENDING_KEY),
    )


def _settle_pending(lake: Lake, pending: frozenset[date], found: Findings) -> None:
    """Have the next looks look at the old days that are due, and no more at the others."""
    look, landing = found.sight.look, found.sight.landing
    settle_pending(
        lake.store,
        pending,
        lambda day: landing.covers(day.isoformat()) or not look.is_old(day),
        found.old_due,
    )


def _told_of_lost(days: Sequence[str]) -> Iterator[str]:
    if days:
        yield (
            f"the lake lost {counted(len(days), 'day of animals')} ({named(days)}) whose files are "
            "not in the landing zone either: bring them back"
        )


def _requests(
    runs: Runs,
    due: Due,
    waiting: Sequence[str],
    settings: Settings,
    live_version: Callable[[], int | None],
) -> tuple[list[dg.RunRequest], list[str]]:
    """The runs to ask for: over days whose files differ, then over those without ages."""
    requests: list[dg.RunRequest] = []
    reasons: list[str] = []
    if due.days:
        requests, reason = requests_for(ANIMALS_JOB, runs, due.days, settings, apart=due.vanished)
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
        ANIMALS_JOB, runs, waiting, settings, apart=due.days, selection=[AGED_ANIMALS], limit=left
    )
    return [*requests, *more], reasons + ([reason] if reason else [])
