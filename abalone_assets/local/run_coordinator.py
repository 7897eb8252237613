"""Dagster's queue, looked at more often: a landed survey waits in it twice before its answer."""

from __future__ import annotations

from typing import Final

from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator

LOOK_SECONDS: Final = 0.4
"""A daemon waits in steps of half a second until this is over; a look takes some milliseconds."""


class PromptRunCoordinator(QueuedRunCoordinator):
    """The queue, with an interval below the whole seconds that its configuration takes."""

    @property
    def dequeue_interval_seconds(self) -> float:  # type: ignore[override]  # the daemon takes any
        """Seconds from one look at the queue to the next."""
        return LOOK_SECONDS
