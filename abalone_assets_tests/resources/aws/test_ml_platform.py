"""What training and processing jobs ask SageMaker for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from abalone_assets.aws.clients import client
from abalone_assets.modeling.hyperparameters import Framework
from abalone_assets.resources.aws.ml_platform import METRICS, SageMakerPlatform
from abalone_assets.resources.ml_platform import EvaluationRequest, TrainingRequest
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.fakes.places import REGION

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

MIRROR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def platform(aws: AwsStandIn, **images: str) -> SageMakerPlatform:
    return SageMakerPlatform(
        jobs_uri=f"s3://{aws.bucket}/jobs",
        role_arn=aws.role_arn,
        training_instance_type="ml.m5.large",
        processing_instance_type="ml.m5.large",
        spot=False,
        max_runtime_seconds=60,
        poll_seconds=0.1,
        images=images,
    )


def training_job(aws: AwsStandIn, framework: Framework, **images: str) -> dict[str, Any]:
    uri = f"s3://{aws.bucket}/lake/train_split/data.parquet"
    aws.s3.put_object(Bucket=aws.bucket, Key="lake/train_split/data.parquet", Body=b"rows")
    request = TrainingRequest(
        {"train": uri}, f"s3://{aws.bucket}/lake/trained_model", {}, framework
    )
    made = platform(aws, **images)
    return made._training_job(request, ObjectStore(made.jobs_uri))


@pytest.mark.parametrize("framework", get_args(Framework))
def test_sagemaker_takes_the_training_job_of_every_framework(
    aws: AwsStandIn, framework: Framework
) -> None:
    client("sagemaker").create_training_job(
        TrainingJobName=framework, **training_job(aws, framework)
    )


@pytest.mark.parametrize(
    ("framework", "images", "told"),
    [
        ("blend", {}, None),
        ("xgboost", {}, None),
        ("tensorflow", {}, METRICS),
        ("xgboost", {"xgboost": f"{MIRROR}/mirror/sagemaker-xgboost:3.2-0"}, None),
        ("blend", {"xgboost": f"{MIRROR}/sagemaker-xgboost@sha256:{'0' * 64}"}, None),
        ("blend", {"xgboost": f"{MIRROR}/our-boosting:1"}, METRICS),
        ("tensorflow", {"tensorflow": f"{MIRROR}/sagemaker-xgboost:3.2-0"}, None),
    ],
)
def test_only_images_that_are_not_sagemakers_own_algorithms_are_told_their_metrics(
    aws: AwsStandIn, framework: Framework, images: dict[str, str], told: list[Any] | None
) -> None:
    algorithm = training_job(aws, framework, **images)["AlgorithmSpecification"]
    assert algorithm.get("MetricDefinitions") == told


def test_jobs_are_told_their_region_where_boto3_looks(
    aws: AwsStandIn,
) -> None:
    told = {"AWS_DEFAULT_REGION": REGION}
    assert training_job(aws, "blend")["Environment"] == told
    evaluation = platform(aws)._processing_job(
        EvaluationRequest("0" * 64, {"model": "s3://x/model.tar.gz"}), "s3://x/code", "s3://x/out"
    )
    assert evaluation["Environment"] == told
