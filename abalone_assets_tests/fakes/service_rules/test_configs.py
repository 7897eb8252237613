"""Rules of models and endpoint configurations: what is refused, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets_tests.fakes.places import BUCKET
from abalone_assets_tests.fakes.service_rules.support import (
    CAPTURE,
    SERVERLESS,
    VARIANT,
    VPC,
    config,
    endpoint,
    model,
    refused,
)

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


def test_package_not_approved(aws: AwsStandIn) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    container = {"Image": "x", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="g",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification=specification,
    )["ModelPackageArn"]
    with refused("PendingManualApproval"):
        model(aws, PrimaryContainer={"ModelPackageName": arn})
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    model(aws, PrimaryContainer={"ModelPackageName": arn})


def test_names_taken(aws: AwsStandIn) -> None:
    endpoint(aws)
    with refused("already existing model"):
        model(aws)
    with refused("already existing endpoint configuration"):
        config(aws, "before")
    with refused("already existing endpoint"):
        aws.client("sagemaker").create_endpoint(EndpointName="e", EndpointConfigName="before")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"CaptureOptions": 33 * [{"CaptureMode": "Input"}]}, "one to 32"),
        ({"CaptureOptions": [{"CaptureMode": "Everything"}]}, "Everything"),
        ({"InitialSamplingPercentage": 101}, "0 to 100"),
        ({"DestinationS3Uri": "captured_requests"}, "no S3 URI"),
        ({"CaptureContentTypeHeader": {"CsvContentTypes": ["csv"]}}, "no content types"),
        ({"CaptureContentTypeHeader": {"CsvContentTypes": 11 * ["text/csv"]}}, "at most ten"),
    ],
)
def test_capture_options(aws: AwsStandIn, wrong: dict[str, Any], words: str) -> None:
    model(aws)
    with refused(words):
        config(aws, DataCaptureConfig={**CAPTURE, **wrong})
    config(aws, DataCaptureConfig=CAPTURE)


def test_serverless_exclusions(aws: AwsStandIn) -> None:
    model(aws)
    for capture in (CAPTURE, {**CAPTURE, "EnableCapture": False}):
        with refused("Data capture"):
            config(aws, ProductionVariants=[SERVERLESS], DataCaptureConfig=capture)
    with refused("one production variant"):
        config(aws, ProductionVariants=[SERVERLESS, {**SERVERLESS, "VariantName": "Other"}])
    model(aws, "enclosed", VpcConfig=VPC)
    model(aws, "isolated", EnableNetworkIsolation=True)
    for name in ("enclosed", "isolated"):
        with refused("VPC configuration and network isolation"):
            config(aws, ProductionVariants=[{**SERVERLESS, "ModelName": name}])
        instances = VARIANT | {"ModelName": name, "InstanceType": "ml.m5.large"}
        config(aws, name, ProductionVariants=[{**instances, "InitialInstanceCount": 1}])
    config(aws, ProductionVariants=[SERVERLESS])


@pytest.mark.parametrize(
    "given",
    [
        {"InstanceType": "ml.m5.large"},
        {"InitialInstanceCount": 1},
        {"ModelDataDownloadTimeoutInSeconds": 60},
        {"ContainerStartupHealthCheckTimeoutInSeconds": 60},
    ],
    ids=lambda given: next(iter(given)),
)
def test_serverless_instances(aws: AwsStandIn, given: dict[str, Any]) -> None:
    model(aws)
    with refused(f"takes no {next(iter(given))}"):
        config(aws, ProductionVariants=[SERVERLESS | given])
    instances = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    config(aws, ProductionVariants=[VARIANT | instances | given])
