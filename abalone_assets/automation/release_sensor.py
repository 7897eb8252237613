"""The decisions of the sensor, and of the schedule, that release what was ingested."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.automation.cursors import read_cursor
from abalone_assets.automation.runs import DIGEST_TAG, MAX_PAID_BACK_OFF, RELEASE_JOB, Runs
from abalone_assets.errors import counted
from abalone_assets.ingest.memory import Patience, read_memory
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.lease import read_lease
from abalone_assets.settings.public_uri import public_uri

if TYPE_CHECKING:
    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedRaw, Manifest
    from abalone_assets.settings.platform import Settings

NOTHING_NEW: Final = "nothing was ingested since the last release"

SETTLE_SECONDS: Final = 60.0
"""Days that are due hold a release back no longer than this once the manifest has come to rest."""


@dataclass(frozen=True)
class ReleaseCursor:
    """What ``release_sensor`` remembers: the manifest's digest, and since when it has been so."""

    digest: str = ""
    since: float = 0.0


def release_tick(
    context: dg.SensorEvaluationContext,
    zone: LandingZone,
    lake: Lake,
    settings: Settings,
    released: dg.AssetSelection,
) -> dg.SensorResult:
    """Ask for one release when the lake holds something new and has come to rest.

    ``released`` is everything that a release makes, the base survey included.
    """
    manifest = lake.manifest()
    cursor = read_cursor(ReleaseCursor, context.cursor)
    if cursor.digest != manifest.digest:
        cursor = ReleaseCursor(manifest.digest, time.time())
    reason = no_release_reason(context, lake, settings, manifest) or _reason_to_back_off(
        Runs.seen_by(context), settings, manifest.digest
    )
    if not reason and 0 <= time.time() - cursor.since < SETTLE_SECONDS:
        landing = zone.scan(settings.first_survey_day, datetime.now(UTC).date())
        due = find_due(
            landing,
            manifest,
            zone.read,
            memory=read_memory(lake.store),
            patience=Patience(**settings.patience, now=time.time()),
        )
        if due.days or due.undecided:
            reason = f"{counted(len(due.days) + due.undecided, 'survey day')} still to be ingested"
    return dg.SensorResult(
        run_requests=[] if reason else [release_request(context, settings, released, manifest)],
        skip_reason=reason,
        cursor=json.dumps(asdict(cursor)),
    )


def no_release_reason(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext,
    lake: Lake,
    settings: Settings,
    manifest: Manifest,
) -> str | None:
    """Why nothing can be released now, or None when something new has come to rest."""
    raw = manifest.raw
    if not lake.release_due(manifest) and (raw is None or _is_asked_for(raw, settings)):
        return NOTHING_NEW
    in_flight = Runs.seen_by(context).before_a_release()
    if in_flight:
        return f"{counted(len(in_flight), 'run')} in flight"
    lease = read_lease(lake.store)
    return f"another Dagster instance releases: {lease}" if lease.seems_held else None


def release_request(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext,
    settings: Settings,
    released: dg.AssetSelection,
    manifest: Manifest,
) -> dg.RunRequest:
    """A release of what the lake holds, with the base survey unless the lake has the right one.

    A simulated base survey is never the right one: the network may be back. ``released`` is
    everything that a release makes, the base survey included.

    Raises:
        ValueError: The context has no repository to select from.
    """
    if context.repository_def is None:
        raise ValueError("a tick needs the repository whose assets it releases")
    if manifest.raw and _is_asked_for(manifest.raw, settings) and not manifest.raw.simulated:
        released -= dg.AssetSelection.assets("raw_abalone")
    selected = released.resolve(context.repository_def.asset_graph)
    return dg.RunRequest(asset_selection=sorted(selected), tags=_digest_tags(manifest.digest))


def _digest_tags(digest: str) -> dict[str, str]:
    return {DIGEST_TAG: digest[:12]}


def _is_asked_for(raw: IngestedRaw, settings: Settings) -> bool:
    """Whether the lake's base survey is the one that the settings name.

    One without a row never is: older releases took a page for a survey.
    """
    expected = settings.raw_sha256.lower()
    return (
        raw.rows > 0
        and raw.uri == public_uri(settings.raw_uri)
        and (raw.simulated or expected in {"", raw.digest})
    )


def _reason_to_back_off(runs: Runs, settings: Settings, digest: str) -> str | None:
    """Why failed releases hold the next one back: those of other content for an hour at most."""
    first_wait = timedelta(seconds=settings.retry_seconds)
    of_this = runs.failures(RELEASE_JOB, _digest_tags(digest))
    failed = runs.failures(RELEASE_JOB)
    if failed is None:
        return None
    retry_at = failed.retry_at(first_wait)
    if of_this is not None:
        retry_at = max(retry_at, of_this.retry_at(first_wait, MAX_PAID_BACK_OFF))
    return failed.reason_to_wait(retry_at, datetime.now(UTC), "release", RELEASE_JOB)
