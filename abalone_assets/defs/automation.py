"""The automation: level-triggered sensors that compare what should be with what is.

Nothing here depends on having seen an event. A tick that dies, a daemon that restarts or a lost
Dagster database changes nothing: the next tick sees the same difference and asks for the same runs.
"""

from collections.abc import Iterator

import dagster as dg

from abalone_assets.alerts.matters import LOOK_SECONDS
from abalone_assets.automation.runs import (
    AGE_JOB,
    DEPLOY_JOB,
    DEPLOYED_ASSET,
    INGEST_JOB,
    MONITOR_JOB,
    RELEASE_JOB,
    SWEEP_JOB,
)
from abalone_assets.defs.one_driver import unless_driven_by_another
from abalone_assets.resources.captures import CapturesResource
from abalone_assets.resources.job_sweep import JobSweep
from abalone_assets.resources.models import EndpointHost, ModelRegistryResource
from abalone_assets.resources.storage import LakeResource, LandingZoneResource
from abalone_assets.settings.platform import load_settings

_SETTINGS = load_settings()
# Dagster counts from a tick's start, and begins every five seconds: a tick of "at least five" that
# began some milliseconds late would leave every other turn out.
_INTERVAL = max(1, _SETTINGS.sensor_seconds - (_SETTINGS.watch_seconds > 0))

ingest_surveys_job = dg.define_asset_job(
    INGEST_JOB,
    selection=dg.AssetSelection.assets("new_surveys", "quarantined_rows"),
    description="Ingest a range of survey days in one run. What the lake holds of them is replaced "
    "by what the landing zone has now: a day whose files are gone loses its rows.",
)

age_animals_job = dg.define_asset_job(
    AGE_JOB,
    selection=dg.AssetSelection.groups("ageing"),
    description="Take in a range of days of animals without rings, and tell the ages of those that "
    "have none yet, by the live model. On AWS that is a billed batch transform job. No release "
    "follows.",
)

released = dg.AssetSelection.assets("raw_abalone") | (
    dg.AssetSelection.assets("merged_dataset").downstream()
    & dg.AssetSelection.assets(DEPLOYED_ASSET).upstream()
    | dg.AssetSelection.assets("evaluation_report")
)

release_job = dg.define_asset_job(
    RELEASE_JOB,
    selection=released,
    description="From everything ingested to a model behind the endpoint, if the gate approves. "
    "Costs a training and an evaluation: minutes at most on this machine, billed jobs on AWS. An "
    "approved model replaces the one that the endpoint serves.",
)

deploy_job = dg.define_asset_job(
    DEPLOY_JOB,
    selection=dg.AssetSelection.assets(DEPLOYED_ASSET),
    description="Make the endpoint serve the version that the registry says should be live. "
    "Changes what the endpoint serves; on AWS it makes the endpoint where there is none, and an "
    "endpoint is billed by the hour.",
)

monitor_requests_job = dg.define_asset_job(
    MONITOR_JOB,
    selection=dg.AssetSelection.groups("monitoring"),
    description="Read what the endpoint was asked on a range of days, and look for drift. On this "
    "machine it deletes the capture files that are in the lake, `ABALONE_CAPTURE_DAYS` later.",
)


@dg.sensor(
    job=ingest_surveys_job,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
@unless_driven_by_another
def survey_sensor(
    context: dg.SensorEvaluationContext, landing_zone: LandingZoneResource, lake: LakeResource
) -> dg.SensorResult:
    """Ingest the survey days whose files differ from what the lake holds of them."""
    from abalone_assets.automation.survey_sensor import survey_tick
    from abalone_assets.automation.watching import watch

    zone, opened, settings = landing_zone.open(), lake.open(), load_settings()
    return watch(
        context,
        lambda: survey_tick(context, zone, opened, settings),
        lambda _: zone.sign(),
        settings.watch_seconds,
    )


@dg.sensor(
    job=age_animals_job,
    minimum_interval_seconds=_SETTINGS.sensor_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
@unless_driven_by_another
def animals_sensor(
    context: dg.SensorEvaluationContext,
    landing_zone: LandingZoneResource,
    lake: LakeResource,
    endpoint_host: EndpointHost,
) -> dg.SensorResult:
    """Take in files of animals without rings, and have them aged by the live model: each once."""
    from abalone_assets.automation.animals_sensor import animals_tick

    return animals_tick(
        context,
        landing_zone.open(),
        lake.open(),
        load_settings(),
        lambda: endpoint_host.open().live_version(),
    )


@dg.sensor(
    job=release_job,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
@unless_driven_by_another
def release_sensor(
    context: dg.SensorEvaluationContext, landing_zone: LandingZoneResource, lake: LakeResource
) -> dg.SensorResult:
    """Release once what was ingested differs from the last release, and nothing is in flight."""
    from abalone_assets.automation.release_sensor import release_tick
    from abalone_assets.automation.watching import release_sign, watch

    zone, opened, settings = landing_zone.open(), lake.open(), load_settings()
    return watch(
        context,
        lambda: release_tick(context, zone, opened, settings, released),
        lambda found: release_sign(context, opened, found),
        settings.watch_seconds,
    )


@dg.sensor(
    job=deploy_job,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
@unless_driven_by_another
def approval_sensor(
    context: dg.SensorEvaluationContext,
    model_registry: ModelRegistryResource,
    endpoint_host: EndpointHost,
) -> dg.SensorResult:
    """Deploy when a person has approved or rejected a version and the endpoint serves another."""
    from abalone_assets.automation.approval_sensor import approval_tick

    return approval_tick(context, model_registry, endpoint_host, load_settings())


@dg.sensor(
    target=None,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
@unless_driven_by_another
def alert_sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
    """Tell whom `ABALONE_NOTIFY` names of what needs them: each matter once, and when it is over.

    Failed runs, rejected models, files that need somebody, a landing zone that went away, strays,
    drift, and an endpoint that is silent or has no model; one message every ten minutes at most.
    """
    from abalone_assets.automation.alert_sensor import alert_tick

    return alert_tick(context, lake.open(), load_settings())


@dg.schedule(
    job=release_job,
    cron_schedule="0 0 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
@unless_driven_by_another
def nightly_release(
    context: dg.ScheduleEvaluationContext, lake: LakeResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Release at midnight, if anything was ingested since the last release."""
    from abalone_assets.automation.release_sensor import no_release_reason, release_request

    opened, settings = lake.open(), load_settings()
    manifest = opened.manifest()
    if reason := no_release_reason(context, opened, settings, manifest):
        yield dg.SkipReason(reason)
    else:
        yield release_request(context, settings, released, manifest)


@dg.op
def stop_jobs_without_a_run(context: dg.OpExecutionContext, job_sweep: JobSweep) -> None:
    """Stop every job on AWS that no run waits for."""
    for name in job_sweep.sweep(context.instance):
        context.log.info("stopped %s: its run is over, and no retry came", name)


@dg.job(name=SWEEP_JOB)
def stop_orphaned_jobs_job() -> None:
    """Stop the jobs that killed workers left, before their longest run time does.

    Destructive: what those jobs on AWS have not written is lost. A job whose run goes on, or is
    tried again, is left alone.
    """
    stop_jobs_without_a_run()


@dg.schedule(
    job=stop_orphaned_jobs_job,
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
@unless_driven_by_another
def job_sweep_schedule(
    context: dg.ScheduleEvaluationContext, job_sweep: JobSweep
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Look every quarter of an hour; a run begins only where there is a job to stop."""
    orphans = job_sweep.sweep(context.instance, dry_run=True)
    if orphans:
        yield dg.RunRequest(tags={"abalone/orphaned_jobs": ", ".join(orphans)})
    else:
        yield dg.SkipReason("every job in progress has a run that waits for it")


@dg.schedule(
    job=monitor_requests_job,
    cron_schedule="20 */6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
@unless_driven_by_another
def monitoring_schedule(
    context: dg.ScheduleEvaluationContext, captures: CapturesResource, lake: LakeResource
) -> dg.RunRequest | dg.SkipReason:
    """Look four times a day for ended days of requests that are not in the lake."""
    from abalone_assets.automation.monitoring import monitoring_request

    return monitoring_request(context, captures.open(), lake.open(), load_settings())
