"""What people are shown of runs while they are at work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console

    from abalone_assets.local.driver import Driver


class RunProgress:
    """Says each step as it ends, with the seconds that it took."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._started = time.monotonic()
        self._waited = False
        self._rejection = ""

    def say(self, text: str, *, mark: str = "✓", style: str = "green") -> None:
        """Print a line: what has just been done, or begins."""
        seconds = time.monotonic() - self._started
        self._out.print(mark, style=style, end=" ")
        self._out.print(f"{seconds:5.1f} s", style="dim", end="  ")
        self._out.print(text)

    def once(self, text: str) -> None:
        """Say why nothing happens, the first time only."""
        if not self._waited:
            self._waited = True
            self.say(text, mark="…", style="yellow")

    def waits_for(self, driver: Driver) -> None:
        """Say whose end this waits for, the first time only."""
        self.once(f"{driver} works on this home: waiting for its end")

    def retries(self, run_id: str, retry: str) -> None:
        """Say by which run Dagster retries one that was cut short."""
        self.say(
            f"run {run_id} was cut short: Dagster retries it as run {retry}",
            mark="…",
            style="yellow",
        )

    def step(self, request: dg.RunRequest, entry: dg.EventLogEntry) -> None:
        """Say the steps of a run that succeeded, failed or were skipped."""
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        step = f"{_days(request)}{event.step_key}"
        if event.step_key == "approved_model" and event.event_type_value == "ASSET_OBSERVATION":
            observed = event.asset_observation_data.asset_observation
            self._rejection = str(observed.metadata["decision"].value)
        elif event.step_key == "approved_model" and event.is_step_success and self._rejection:
            self.say(f"{entry.job_name}: {step}: {self._rejection}", mark="✗", style="yellow")
            self._rejection = ""
        elif event.is_step_success:
            self.say(f"{entry.job_name}: {step}")
        elif event.is_step_failure:
            self.say(f"{entry.job_name}: {step} failed", mark="✗", style="red")
        elif event.is_step_skipped:
            self.say(f"{entry.job_name}: {step} skipped", mark="-", style="yellow")


def _days(request: dg.RunRequest) -> str:
    """The survey days of a request, in words; none for a release."""
    from abalone_assets.automation.runs import RANGE_END_TAG, RANGE_START_TAG

    if RANGE_START_TAG not in request.tags:
        return ""
    first, last = request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]
    return f"{first} " if first == last else f"{first} to {last} "
