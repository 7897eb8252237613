"""Finds runs whose worker died with the code location that it was a process of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import deserialize_value

if TYPE_CHECKING:
    import dagster as dg


class ServedRunLauncher(DefaultRunLauncher):
    """Dagster's launcher for code locations in containers of their own.

    There, workers are processes of the code location, and are killed with it. Dagster's own has
    nobody ask for them: such a run would count as in flight, and hold the sensors back, until its
    time is up.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It does, so that Dagster's run monitoring notices a worker that is no more."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the code location that the run was launched at still executes it.

        While it is away nobody can tell: it is asked again when it is back.
        """
        server = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if server is None:  # of a command's own process, such as `dg launch`
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        try:
            current = deserialize_value(server.get_current_runs(), GetCurrentRunsResult)
        except DagsterUserCodeUnreachableError as error:
            return CheckRunHealthResult(WorkerStatus.RUNNING, str(error))
        if run.run_id in current.current_runs:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, "the code location was started again since it began this run"
        )
