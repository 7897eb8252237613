"""The one entry point: every definition below ``defs/``, and the defaults that assets share."""

import warnings

import dagster as dg

OWNERS = ["team:data-platform"]


@dg.definitions
def defs() -> dg.Definitions:
    """The asset graph, its automation, and the resources of the profile in force."""
    from abalone_assets import defs as package
    from abalone_assets.defs.automation import (
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
    from abalone_assets.defs.resources import profile_resources
    from abalone_assets.defs.simulation.synthetic_survey import simulate_survey_job
    from abalone_assets.defs.training.hyperparameter_study import search_hyperparameters_job
    from abalone_assets.settings.platform import load_settings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # code references are beta, and worth it
        assets = [
            asset
            for asset in dg.with_source_code_references(
                dg.load_assets_from_package_module(package, include_specs=True)
            )
            if isinstance(asset, dg.AssetsDefinition | dg.AssetSpec)
        ]
    return dg.Definitions(
        assets=dg.map_asset_specs(_with_defaults, assets),
        asset_checks=dg.load_asset_checks_from_package_module(package),
        jobs=[
            ingest_surveys_job,
            release_job,
            deploy_job,
            stop_orphaned_jobs_job,
            simulate_survey_job,
            search_hyperparameters_job,
            monitor_requests_job,
        ],
        sensors=[survey_sensor, release_sensor, approval_sensor],
        schedules=[nightly_release, job_sweep_schedule, monitoring_schedule],
        resources=profile_resources(load_settings()),
        executor=dg.in_process_executor,
    )


def _with_defaults(spec: dg.AssetSpec) -> dg.AssetSpec:
    return spec.replace_attributes(owners=spec.owners or OWNERS)
