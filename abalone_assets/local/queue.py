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
from dagster._core.workspace.load import location_origins_from_yaml_paths

from abalone_assets.local.instance import InstanceError, local_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    import dagster as dg

    from abalone_assets.local.driver import Driver

POLL_SECONDS: Final = 0.5


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
) -> None:
    """Wait until a run has ended that another process executes; its events are told as they come.

    Raises:
        InstanceError: That process ends before the run does.
    """
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
