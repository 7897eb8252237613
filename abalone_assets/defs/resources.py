"""The resources of each profile: the only place that knows local from aws."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from abalone_assets.resources.batch_scoring import LocalBatchScorer
from abalone_assets.resources.captures import CapturesResource
from abalone_assets.resources.catalog import DuckDBCatalog, GlueCatalog
from abalone_assets.resources.etl_engine import GlueEngine, PolarsEngine, SparkEngine
from abalone_assets.resources.job_sweep import AwsJobSweep, NoJobSweep
from abalone_assets.resources.ml_platform import LocalMLPlatform
from abalone_assets.resources.models import (
    Gate,
    LocalEndpointHost,
    LocalModelRegistry,
    SageMakerEndpointHost,
    SageMakerModelRegistry,
)
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.resources.reports import LocalReportPages, S3ReportPages
from abalone_assets.resources.storage import (
    BaseSurveySource,
    JsonIOManager,
    LakeResource,
    LandingZoneResource,
    ParquetIOManager,
)
from abalone_assets.settings.aws import AwsSettings, ids, load_aws_settings
from abalone_assets.settings.platform import Settings


def profile_resources(settings: Settings) -> Mapping[str, Any]:
    """The resources, by the names that assets and sensors ask for.

    Nothing is looked up or connected to here: a resource does that when it is used.
    """
    lake = LakeResource(uri=settings.lake_uri)
    shared = {
        "lake": lake,
        "parquet": ParquetIOManager(lake=lake),
        "json": JsonIOManager(lake=lake),
        "base_survey": BaseSurveySource(
            uri=settings.raw_uri, sha256=settings.raw_sha256, fallback=settings.raw_fallback
        ),
        "gate": Gate(limits=asdict(settings.gate_limits)),
        "release_lease": ReleaseLease(lake=lake),
    }
    if settings.profile == "local":
        return {**shared, **_local(settings, lake)}
    return {**shared, **_aws(settings, load_aws_settings(), lake)}


def _local(settings: Settings, lake: LakeResource) -> Mapping[str, Any]:
    registry = LocalModelRegistry(uri=settings.registry_uri)
    return {
        "landing_zone": LandingZoneResource(uri=settings.landing_zone_uri),
        "catalog": DuckDBCatalog(lake=lake, registry=registry, file=str(settings.catalog_file)),
        "etl_engine": PolarsEngine() if settings.etl_engine == "polars" else SparkEngine(),
        "ml_platform": LocalMLPlatform(**_training(settings)),
        "batch_scorer": LocalBatchScorer(registry=registry),
        "captures": CapturesResource(
            uri=str(settings.capture_folder),
            endpoint_name=settings.endpoint_name,
            keep_days=settings.capture_days,
        ),
        "job_sweep": NoJobSweep(),
        "model_registry": registry,
        "endpoint_host": LocalEndpointHost(
            registry=registry,
            endpoint_name=settings.endpoint_name,
            state_file=str(settings.endpoint_state_file),
            host=settings.endpoint_host,
            port=settings.endpoint_port,
            timeout_seconds=settings.endpoint_timeout_seconds,
        ),
        "report_pages": LocalReportPages(
            lake=lake,
            state_file=str(settings.endpoint_state_file),
            host=settings.endpoint_host,
            port=settings.endpoint_port,
        ),
    }


def _aws(settings: Settings, aws: AwsSettings, lake: LakeResource) -> Mapping[str, Any]:
    from abalone_assets.resources.aws.batch_scoring import SageMakerBatchScorer
    from abalone_assets.resources.aws.ml_platform import SageMakerPlatform

    registry = SageMakerModelRegistry(
        group=aws.model_package_group,
        uri=settings.registry_uri,
        image=aws.xgboost_image,
        instance_type=aws.endpoint_instance_type,
        studio_notes=aws.studio_notes,
    )
    resources: dict[str, Any] = {
        "landing_zone": LandingZoneResource(
            uri=settings.landing_zone_uri, queue_url=aws.survey_queue_url
        ),
        "catalog": GlueCatalog(
            lake=lake,
            registry=registry,
            database=aws.glue_database,
            crawler=aws.glue_crawler,
        ),
        "etl_engine": GlueEngine(
            jobs_uri=aws.jobs_uri,
            job=aws.glue_job,
            max_runtime_seconds=aws.job_max_runtime_seconds,
            poll_seconds=aws.poll_seconds,
        ),
        "ml_platform": SageMakerPlatform(
            jobs_uri=aws.jobs_uri,
            role_arn=aws.job_role_arn,
            training_instance_type=aws.training_instance_type,
            processing_instance_type=aws.processing_instance_type,
            spot=aws.training_spot,
            max_runtime_seconds=aws.job_max_runtime_seconds,
            poll_seconds=aws.poll_seconds,
            images={"xgboost": aws.xgboost_image, "tensorflow": aws.tensorflow_image},
            keep_alive_seconds=aws.training_keep_alive_seconds,
            **_boundary(aws),
            **_training(settings),
        ),
        "captures": CapturesResource(uri=aws.capture_uri, endpoint_name=settings.endpoint_name),
        "job_sweep": AwsJobSweep(jobs_uri=aws.jobs_uri, glue_job=aws.glue_job),
        "model_registry": registry,
        "report_pages": S3ReportPages(lake=lake),
        "endpoint_host": SageMakerEndpointHost(
            registry=registry,
            endpoint_name=settings.endpoint_name,
            role_arn=aws.job_role_arn,
            capture_uri=aws.capture_uri,
            instance_type=aws.endpoint_instance_type,
            instance_count=aws.endpoint_instance_count,
            mode=aws.endpoint_mode,
            max_instance_count=aws.endpoint_max_instance_count,
            invocations_per_minute=aws.endpoint_invocations_per_minute,
            serverless_memory_mb=aws.serverless_memory_mb,
            serverless_max_concurrency=aws.serverless_max_concurrency,
            **_boundary(aws),
            alarms=aws.endpoint_alarms,
            canary_percent=aws.canary_percent,
            canary_wait_seconds=aws.canary_wait_seconds,
            timeout_seconds=aws.deployment_timeout_seconds,
            poll_seconds=aws.poll_seconds,
        ),
    }
    scorer = SageMakerBatchScorer(
        host=resources["endpoint_host"],
        jobs_uri=aws.jobs_uri,
        instance_type=aws.scoring_instance_type,
        max_runtime_seconds=aws.job_max_runtime_seconds,
        poll_seconds=aws.poll_seconds,
    )
    return {**resources, "batch_scorer": scorer}


def _boundary(aws: AwsSettings) -> dict[str, Any]:
    """The network and the key of all that SageMaker runs."""
    return {
        "subnets": list(ids(aws.subnets)),
        "security_groups": list(ids(aws.security_groups)),
        "kms_key_arn": aws.kms_key_arn,
        "network_isolation": aws.network_isolation,
    }


def _training(settings: Settings) -> Mapping[str, Any]:
    """What every release trains, wherever it trains."""
    return {
        "framework": settings.framework,
        "hyperparameters": settings.hyperparameters,
        "max_synthetic_share": settings.max_synthetic_share,
    }
