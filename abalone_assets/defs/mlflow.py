"""Versions in MLflow, where there is one: a run of their own, so that no release waits for it."""

import dagster as dg

from abalone_assets.defs.one_driver import unless_driven_by_another
from abalone_assets.settings.platform import load_settings


@dg.op(pool="mlflow")
def tell_of_versions(context: dg.OpExecutionContext) -> None:
    """Send every version that MLflow lacks, and have its alias `champion` follow the live one."""
    from abalone_assets.errors import AbaloneError
    from abalone_assets.tracking.tell import tell_mlflow

    try:
        sent = tell_mlflow(load_settings(), context.log.info)
    except AbaloneError as error:
        context.log.warning("MLflow was told nothing: %s", error)
        return
    if sent.problem:
        context.log.warning(sent.problem)
    else:
        context.log.info("%s has all versions; the champion is %s", sent.server, sent.champion)


@dg.job(name="log_to_mlflow")
def log_to_mlflow_job() -> None:
    """Send MLflow the versions that it lacks, as `abalone mlflow` does.

    Nothing here changes, and nothing depends on it: what MLflow refuses is a warning, and is tried
    again later.
    """
    tell_of_versions()


@dg.sensor(
    job=log_to_mlflow_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
@unless_driven_by_another
def mlflow_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Tell the MLflow that `ABALONE_MLFLOW_URI` names of versions, decisions and what is live."""
    from abalone_assets.automation.mlflow_sensor import mlflow_tick

    return mlflow_tick(context, load_settings())
