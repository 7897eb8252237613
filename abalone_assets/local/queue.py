"""Runs as they are recorded, and those that the home's daemon executes for another process."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

from dagster._core.code_pointer import CodePointer
from dagster._core.origin import (
    DEFAULT_DAGSTER_ENTRY_POINT,
    JobPythonOrigin,
    RepositoryPythonOrigin,
)
from dagster._core.remote_origin import RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.dagster_run import DagsterRunStatus
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG
from dagster._core.workspace.load import location_origins_from_yaml_paths

from abalone_assets.local.instance import InstanceError, local_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import dagster as dg

    from abalone_assets.local.driver import Driver

POLL_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 60.0
"""How long the daemon, which looks every five seconds, may take to retry what was cut short."""


def create_run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    run_id: str,
    job: dg.JobDefinition,
    request: dg.RunRequest,
) -> dg.DagsterRun:
    """Record a run that was asked for as one of the code location that `abalone dev` loads.

    By that the UI finds the runs of its Timeline and of a job's page, and a daemon the code to
    execute; Dagster's ``execute_in_process`` records neither.
    """
    (location,) = location_origins_from_yaml_paths([str(local_workspace())])
    module = location.loadable_target_origin.module_name
    if module is None:
        raise InstanceError(f"{local_workspace()}: no module is named there")
    code = RepositoryPythonOrigin(
        executable_path=sys.executable,
        code_pointer=CodePointer.from_module(module, "defs", None),
        entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
    )
    repository = RemoteRepositoryOrigin(location, definitions.get_repository_def().name)
    return instance.create_run_for_job(
        job_def=job,
        run_id=run_id,
        run_config=request.run_config,
        tags={**job.run_tags, **request.tags},
        asset_selection=frozenset(request.asset_selection or ()) or None,
        remote_job_origin=RemoteJobOrigin(repository, job.name),
        job_code_origin=JobPythonOrigin(job.name, code),
    )


def enqueue(
    definitions: dg.Definitions, instance: dg.DagsterInstance, job: str, request: dg.RunRequest
) -> str:
    """Put a run into the queue of the instance, whose daemon executes it; returns its id."""
    run_id = str(uuid4())
    create_run(definitions, instance, run_id, definitions.resolve_job_def(job), request)
    # The queue needs no workspace: its daemon has its own.
    instance.submit_run(run_id, workspace=cast("Any", None))
    return run_id


def follow(
    instance: dg.DagsterInstance,
    run_id: str,
    driver: Driver,
    watch: Callable[[dg.EventLogEntry], None],
    on_retry: Callable[[str], None] = lambda _: None,
) -> None:
    """Wait until a run has ended that another process executes; its events are told as they come.

    One that is cut short, as when its process dies, is retried by Dagster as another run: that is
    followed, too.

    Args:
        instance: Where it is recorded.
        run_id: Its id.
        driver: Who executes it.
        watch: Told each event.
        on_retry: Told the id of a run by which Dagster retries it.

    Raises:
        InstanceError: That process ends before the run does, or does not retry it as it should.
    """
    while True:
        _follow_one(instance, run_id, driver, watch)
        retry = _retry_of(instance, run_id, driver)
        if retry is None:
            return
        on_retry(retry)
        run_id = retry


def is_retried(tags: Mapping[str, str]) -> bool | None:
    """Whether Dagster is to retry a run that failed, by its tags; None until it has decided that.

    It decides a moment after the run is recorded as failed.
    """
    said = tags.get(WILL_RETRY_TAG)
    return None if said is None else said == "true"


def _follow_one(
    instance: dg.DagsterInstance,
    run_id: str,
    driver: Driver,
    watch: Callable[[dg.EventLogEntry], None],
) -> None:
    cursor: str | None = None
    while True:
        run = instance.get_run_by_id(run_id)
        ended = run is None or run.is_finished
        told = instance.get_records_for_run(run_id, cursor=cursor)
        cursor = told.cursor
        for record in told.records:
            watch(record.event_log_entry)
        if ended and not told.has_more:
            return
        if not ended and not driver.lives:
            raise InstanceError(
                f"{driver} has ended, and run {run_id} has not: the next `abalone dev` takes it up"
                " or says that it failed"
            )
        time.sleep(POLL_SECONDS)


def _retry_of(instance: dg.DagsterInstance, run_id: str, driver: Driver) -> str | None:
    """The run by which Dagster retries one that has ended, which takes it some seconds; or None."""
    deadline = time.monotonic() + RETRY_SECONDS
    while True:
        run = instance.get_run_by_id(run_id)
        if run is None or run.status is not DagsterRunStatus.FAILURE:
            return None
        if retry := run.tags.get(AUTO_RETRY_RUN_ID_TAG):
            return retry
        retried = is_retried(run.tags)
        if retried is False or (retried is None and not instance.run_retries_enabled):
            return None
        if not driver.lives:
            raise InstanceError(
                f"run {run_id} was cut short, and {driver} has ended before it retried it: the next"
                " `abalone dev` does"
            )
        if time.monotonic() > deadline:
            raise InstanceError(
                f"run {run_id} was cut short, and {driver} has not retried it within"
                f" {RETRY_SECONDS:g} s: its page in the UI says why"
            )
        time.sleep(POLL_SECONDS)
