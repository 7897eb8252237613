"""The platform in one process: the real sensors, runs and instance, without a daemon."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from abalone_assets.automation.runs import INGEST_JOB, RELEASE_JOB
from abalone_assets.errors import AbaloneError
from abalone_assets.lake.holder import process_identity
from abalone_assets.local.instance import PROCESS_TAG
from abalone_assets.local.queue import create_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SENSOR_JOBS: Final = {"survey_sensor": INGEST_JOB, "release_sensor": RELEASE_JOB}
INTERRUPTS: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
QUIET_LOGGERS: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RunFailedError(AbaloneError):
    """A run that a sensor asked for failed."""


class UnsettledError(AbaloneError):
    """The sensors still have work to do but cannot ask for it, or do not stop asking."""


@dataclass
class LocalPlatform:
    """Evaluates the sensors tick by tick and executes here what they ask for.

    Attributes:
        definitions: The platform's definitions.
        instance: Where runs and events are recorded.
        watch: Told each event of each run as it happens, with the request of the run.
        quiet: Keep Dagster's console log of the runs from the terminal; the instance has it all.
        ui_command: What starts the UI on this home, for the message of a failed run.
        cursors: Each sensor's cursor after its last tick.
        reasons: Why each sensor asked for nothing at its last tick, if it did not.
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    watch: Callable[[dg.RunRequest, dg.EventLogEntry], None] | None = None
    quiet: bool = False
    ui_command: str = "abalone dev"
    cursors: dict[str, str | None] = field(default_factory=dict)
    reasons: dict[str, str | None] = field(default_factory=dict)

    def tick(self, sensor: str) -> dg.SensorResult:
        """Evaluate a sensor once, with the cursor that it left at its last tick."""
        repository = self.definitions.get_repository_def()
        definition = repository.get_sensor_def(sensor)
        asked = definition.required_resource_keys
        resources = self.definitions.resources or {}
        with dg.build_sensor_context(
            instance=self.instance,
            repository_def=repository,
            cursor=self.cursors.get(sensor),
            resources={name: each for name, each in resources.items() if name in asked},
        ) as context:
            data = definition.evaluate_tick(context)
        self.cursors[sensor] = data.cursor
        self.reasons[sensor] = data.skip_message
        return dg.SensorResult(
            run_requests=data.run_requests or [],
            skip_reason=data.skip_message,
            asset_events=data.asset_events,
        )

    def run(
        self, job: str, request: dg.RunRequest, *, raise_on_error: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Execute what a sensor asked for, here."""
        run_id = str(uuid4())
        if self.watch is not None:
            self.instance.add_event_listener(run_id, partial(self.watch, request))
        definition = self.definitions.resolve_job_def(job)
        try:
            with _no_interrupt_lost():
                created = create_run(
                    self.definitions, self.instance, run_id, definition, self._own(request)
                )
                executed = execute_run(
                    InMemoryJob(definition), created, self.instance, raise_on_error=raise_on_error
                )
        finally:
            # Dagster does not record the end of a run that Ctrl-C ended between its steps.
            run = self.instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                self.instance.report_run_canceled(run, "The run was interrupted.")
        return dg.ExecuteInProcessResult(
            executed.all_events, executed.dagster_run, None, executed.job_def
        )

    def _own(self, request: dg.RunRequest) -> dg.RunRequest:
        """The request as this process executes it, with its identity on the run."""
        quiet = QUIET_LOGGERS if self.quiet else {}
        tags = {**request.tags, PROCESS_TAG: process_identity(os.getpid())}
        return request.with_replaced_attrs(tags=tags, run_config={**quiet, **request.run_config})

    def settle(self, *, rounds: int = 10) -> dict[str, int]:
        """Tick both sensors and run what they ask for, until neither asks for anything.

        Returns:
            How many runs of each job that took.

        Raises:
            RunFailedError: A run failed.
            KeyboardInterrupt: Ctrl-C ended a run; its record says so.
            UnsettledError: They still ask for runs after all rounds.
        """
        runs = dict.fromkeys(SENSOR_JOBS.values(), 0)
        for _ in range(rounds):
            before = sum(runs.values())
            for sensor, job in SENSOR_JOBS.items():
                runs[job] += self.tick_and_run(sensor)
            if sum(runs.values()) == before:
                return runs
        raise UnsettledError(f"the sensors still ask for runs after {rounds} rounds: {runs}")

    def tick_and_run(self, sensor: str) -> int:
        """Evaluate a sensor once, record what it observed, and run what it asks for.

        Returns:
            How many runs that took.

        Raises:
            RunFailedError: A run failed.
            KeyboardInterrupt: Ctrl-C ended a run; its record says so.
        """
        ticked = self.tick(sensor)
        for event in ticked.asset_events:
            if isinstance(event, dg.AssetObservation):
                self.instance.report_runless_asset_event(event)
        requests = ticked.run_requests or []
        for request in requests:
            result = self.run(SENSOR_JOBS[sensor], request, raise_on_error=False)
            check_succeeded(self.instance, result.run_id, self.ui_command)
        return len(requests)


@contextmanager
def _no_interrupt_lost() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end when a signal asked for it meanwhile.

    While Dagster executes a run it takes the signals' handlers away: it records Ctrl-C within a
    step as that step's failure, and forgets one that comes after the last step.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(0)
        writer.settimeout(0)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            with suppress(BlockingIOError):  # no signal came
                if INTERRUPTS.intersection(reader.recv(4096)):
                    raise KeyboardInterrupt


def check_succeeded(
    instance: dg.DagsterInstance, run_id: str, ui_command: str = LocalPlatform.ui_command
) -> None:
    """Make sure that a run that has ended did what it was to do.

    Args:
        instance: Where it is recorded.
        run_id: Its id.
        ui_command: What starts the UI on this home, for the message.

    Raises:
        RunFailedError: It failed, or was cancelled; the message has the step's own error.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_success:
        return
    where = f"start it with `{ui_command}` and open run {run_id}"
    if run.status is dg.DagsterRunStatus.CANCELED:
        raise RunFailedError(f"a run of {run.job_name} was cancelled. See the UI: {where}")
    logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    failures = [entry.dagster_event for entry in logs if entry.dagster_event]
    what = "though no step did: its process died, or could not begin"
    if failures:
        what = f"at {failures[0].step_key}: {_cause(failures[0])}"
    raise RunFailedError(
        f"a run of {run.job_name} failed {what}. All of its events are in the UI: {where}"
    )


def _cause(failure: dg.DagsterEvent) -> str:
    """The error that the step raised, in one line; Dagster wraps it into its own."""
    error = failure.step_failure_data.error
    if error is None:
        return "the reason is not recorded"
    return " ".join((error.cause or error).message.split())
