"""The one entry point: every definition below ``defs/``, and the defaults that assets share."""

import gc
import sys
import warnings

import dagster as dg
from dagster._core.definitions.decorators.op_decorator import DecoratedOpFunction

OWNERS = ["team:data-platform"]

# Dagster stays for as long as the process does. To have the collector look through all of it once
# more while our definitions load takes a fifth of the time that they need. Not where DuckDB is
# loaded already: what is frozen is not collected at the end either, of which it tells on stderr.
if "duckdb" not in sys.modules:
    gc.freeze()


@dg.definitions
def defs() -> dg.Definitions:
    """The asset graph, its automation, and the resources of the profile in force."""
    from abalone_assets import defs as package
    from abalone_assets.defs.automation import (
        age_animals_job,
        alert_sensor,
        animals_sensor,
        approval_sensor,
        deploy_job,
        ingest_surveys_job,
        job_sweep_schedule,
        monitor_requests_job,
        monitoring_schedule,
        nightly_release,
        release_job,
        release_sensor,
        stop_orphaned_jobs_job,
        survey_sensor,
    )
    from abalone_assets.defs.mlflow import log_to_mlflow_job, mlflow_sensor
    from abalone_assets.defs.resources import profile_resources
    from abalone_assets.defs.retention import collect_garbage_job, retention_schedule
    from abalone_assets.defs.run_log import log_runs_as_json
    from abalone_assets.defs.simulation.simulate_survey import simulate_survey_job
    from abalone_assets.defs.training.hyperparameter_study import search_hyperparameters_job
    from abalone_assets.defs.verification import verify_schedule, verify_stores_job
    from abalone_assets.resources.fixed import fixed
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    if settings.log_format == "json":
        log_runs_as_json()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # code references are beta, and worth it
        assets = [
            _with_defaults(asset)
            for asset in dg.load_assets_from_package_module(package, include_specs=True)
            if isinstance(asset, dg.AssetsDefinition | dg.AssetSpec)
        ]
    return dg.Definitions(
        assets=assets,
        asset_checks=dg.load_asset_checks_from_package_module(package),
        jobs=[
            ingest_surveys_job,
            age_animals_job,
            release_job,
            deploy_job,
            stop_orphaned_jobs_job,
            simulate_survey_job,
            search_hyperparameters_job,
            monitor_requests_job,
            collect_garbage_job,
            log_to_mlflow_job,
            verify_stores_job,
        ],
        sensors=[
            survey_sensor,
            animals_sensor,
            release_sensor,
            approval_sensor,
            alert_sensor,
            mlflow_sensor,
        ],
        schedules=[
            nightly_release,
            job_sweep_schedule,
            monitoring_schedule,
            retention_schedule,
            verify_schedule,
        ],
        resources={name: fixed(resource) for name, resource in profile_resources(settings).items()},
        executor=dg.in_process_executor,
    )


def _with_defaults(
    asset: dg.AssetsDefinition | dg.AssetSpec,
) -> dg.AssetsDefinition | dg.AssetSpec:
    if isinstance(asset, dg.AssetSpec):
        return asset.replace_attributes(owners=asset.owners or OWNERS)
    metadata = _code_references(asset)
    return asset.map_asset_specs(
        lambda spec: spec.replace_attributes(
            owners=spec.owners or OWNERS, metadata={**spec.metadata, **metadata}
        )
    )


def _code_references(asset: dg.AssetsDefinition) -> dict[str, dg.CodeReferencesMetadataValue]:
    """Where the asset's function is.

    ``dg.with_source_code_references`` reads and parses the source for it: a tenth of our loading.
    """
    function = asset.op.compute_fn
    if not isinstance(function, DecoratedOpFunction):
        return {}
    code = function.decorated_fn.__code__
    place = dg.LocalFileCodeReference(file_path=code.co_filename, line_number=code.co_firstlineno)
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[place])}
