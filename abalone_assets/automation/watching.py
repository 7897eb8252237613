"""A tick that watches for something to do for a while, instead of leaving it to the next one.

Dagster's daemon looks at sensors every five seconds. A tick that lasts nearly as long, and looks
again as soon as a cheap sign of the world changes, follows within a fraction of a second. Nothing
depends on the sign: a tick that misses one sees the difference at its next look.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.automation.release_sensor import NOTHING_NEW
from abalone_assets.automation.runs import Runs
from abalone_assets.lake.manifest_store import MANIFEST_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.lake.lake import Lake

POLL_SECONDS: Final = 0.2


def watch(
    context: dg.SensorEvaluationContext,
    look: Callable[[], dg.SensorResult],
    sign: Callable[[dg.SensorResult | None], object],
    seconds: float,
) -> dg.SensorResult:
    """Look, and look again whenever the sign changes, until there is something to do.

    Args:
        context: The tick's; it carries the cursor from one look to the next.
        look: A whole tick.
        sign: What differs when something is to be done, given what the last look found, if there
            was one; None never does.
        seconds: When to give up; 0 looks once.

    Returns:
        What the last look found.
    """
    deadline, found = time.monotonic() + seconds, None
    while True:
        before = sign(found) if seconds else None  # what changes during the look is no news later
        found = look()
        if before is None or found.run_requests or found.asset_events:
            break
        while sign(found) == before and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if time.monotonic() >= deadline:
            break
        context.update_cursor(found.cursor)
    if not context.cursor_updated:
        return found
    context.update_cursor(found.cursor)  # which the result may not have then
    return dg.SensorResult(
        run_requests=found.run_requests,
        skip_reason=found.skip_reason,
        asset_events=found.asset_events,
    )


def release_sign(
    context: dg.SensorEvaluationContext, lake: Lake, found: dg.SensorResult | None
) -> object:
    """Changes when something is ingested and, as long as that waits for runs, when one ends."""
    manifest = lake.store.find(MANIFEST_KEY)
    waits = found is not None and found.skip_reason != dg.SkipReason(NOTHING_NEW)
    runs = {run.run_id for run in Runs.seen_by(context).before_a_release()} if waits else set()
    return manifest and manifest.e_tag, runs
