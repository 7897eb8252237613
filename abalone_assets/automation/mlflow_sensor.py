"""The decision of the sensor that tells MLflow of versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from abalone_assets.automation.runs import IN_FLIGHT, Runs
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.tracking.server import MlflowServer
from abalone_assets.tracking.told import read_told, state_of

if TYPE_CHECKING:
    from abalone_assets.settings.platform import Settings

MLFLOW_JOB: Final = "log_to_mlflow"


def mlflow_tick(context: dg.SensorEvaluationContext, settings: Settings) -> dg.SensorResult:
    """Ask for a run when there is more to tell than MLflow was told, and no release is under way.

    MLflow itself is not asked: it may be slow.

    Raises:
        EndpointError: AWS refuses to say what is live.
        StorageError: Lake or registry refuses, or a record is damaged.
    """
    reason = _nothing_to_tell(settings) or _not_now(context)
    if reason is not None:
        return dg.SensorResult(skip_reason=reason)
    return dg.SensorResult(run_requests=[dg.RunRequest()])


def _nothing_to_tell(settings: Settings) -> str | None:
    server = MlflowServer.of(settings)
    if server is None:
        return "ABALONE_MLFLOW_URI names no server"
    told, state = read_told(ObjectStore(settings.lake_uri)), state_of(settings)
    if not state:
        return "there is no version yet"
    if (told.server, told.state) == (server.identity, state):
        return "MLflow was told of everything"
    first_wait = timedelta(seconds=settings.retry_seconds)
    if until := told.waits_until(server.identity, first_wait, datetime.now(UTC)):
        times = "once" if told.failures == 1 else f"{told.failures} times"
        return f"MLflow failed {times}; it is tried again at {until:%Y-%m-%d %H:%M:%S} UTC"
    return None


def _not_now(context: dg.SensorEvaluationContext) -> str | None:
    in_flight = dg.RunsFilter(job_name=MLFLOW_JOB, statuses=IN_FLIGHT)
    if context.instance.get_runs_count(in_flight):
        return "a run is telling MLflow"
    if Runs.seen_by(context).deployments_in_flight():
        return "a release or a deployment is under way, after which there is more to tell"
    return None
