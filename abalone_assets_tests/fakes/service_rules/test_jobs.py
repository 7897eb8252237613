"""Rules of jobs: what is refused, and what is not."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets_tests.fakes.places import REGION
from abalone_assets_tests.fakes.service_rules.support import (
    CLUSTER,
    KEY,
    VARIANT,
    config,
    model,
    process,
    refused,
    train,
    transform,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets_tests.fakes.standin import AwsStandIn

REGISTRY = f"683313688378.dkr.ecr.{REGION}.amazonaws.com"
METRICS = [{"Name": "validation:rmse", "Regex": "rmse=([0-9.]+)"}]


def test_metric_definitions(aws: AwsStandIn) -> None:
    for number, repository in enumerate(("sagemaker-xgboost:3.2-0", "linear-learner:1")):
        image = {"TrainingImage": f"{REGISTRY}/{repository}", "TrainingInputMode": "File"}
        with refused("You can't override the metric definitions for Amazon SageMaker algorithms"):
            train(aws, AlgorithmSpecification={**image, "MetricDefinitions": METRICS})
        train(aws, f"without-{number}", AlgorithmSpecification=image)
    framework = {"TrainingImage": f"{REGISTRY}/tensorflow-training:2.21-cpu-py312"}
    told = {"TrainingInputMode": "File", "MetricDefinitions": METRICS}
    train(aws, "framework", AlgorithmSpecification={**framework, **told})


def test_training_name_taken(aws: AwsStandIn) -> None:
    train(aws, "one")
    with refused("must be unique", "ResourceInUse"):
        train(aws, "one")
    with refused("63"):
        train(aws, "x" * 64)


def test_processing_name_taken(aws: AwsStandIn) -> None:
    process(aws, "one")
    with refused("must be unique", "ResourceInUse"):
        process(aws, "one")
    train(aws, "one")


def test_transform_name_taken(aws: AwsStandIn) -> None:
    model(aws)
    transform(aws, "one")
    with refused("must be unique", "ResourceInUse"):
        transform(aws, "one")
    train(aws, "one")


def test_training_lengths(aws: AwsStandIn) -> None:
    with refused("512"):
        train(aws, Environment={"X": "x" * 513})
    with refused("2500"):
        train(aws, hyperparameters={"x": "x" * 2501})
    train(aws, Environment={"X": "x" * 512}, hyperparameters={"x": "x" * 2500})


def test_processing_lengths(aws: AwsStandIn) -> None:
    with refused("256"):
        process(aws, Environment={"X": "x" * 257})
    with refused("256"):
        process(aws, app={"ContainerArguments": ["x" * 257]})
    process(aws, app={"ContainerArguments": ["x" * 256]}, Environment={"X": "x" * 256})


def test_tag_characters(aws: AwsStandIn) -> None:
    wrong, right = ([{"Key": "a", "Value": value}] for value in ("one|two", "one two_.:/=+-@"))
    for create in (train, process, model, transform):
        with refused("regular expression"):
            create(aws, Tags=wrong)
        create(aws, Tags=right)
    with refused("regular expression"):
        config(aws, Tags=wrong)


def test_spot_wait(aws: AwsStandIn) -> None:
    limits = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120}
    with refused("MaxWaitTimeInSeconds"):
        train(aws, EnableManagedSpotTraining=True)
    with refused("MaxWaitTimeInSeconds"):
        train(aws, StoppingCondition=limits)
    train(aws, EnableManagedSpotTraining=True, StoppingCondition=limits)


def test_spot_warm_pool(aws: AwsStandIn) -> None:
    waits = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}
    spot: dict[str, Any] = {"EnableManagedSpotTraining": True, "StoppingCondition": waits}
    warm = {**CLUSTER, "KeepAlivePeriodInSeconds": 60}
    with refused("not supported for managed spot training"):
        train(aws, ResourceConfig=warm, **spot)
    train(aws, "warm", ResourceConfig=warm)
    train(aws, "spot", **spot)


@pytest.mark.parametrize(
    ("kind", "has_own"),
    [("ml.g4dn.xlarge", True), ("ml.m5d.large", True), ("ml.m5.large", False)],
)
def test_volume_key(aws: AwsStandIn, kind: str, *, has_own: bool) -> None:
    model(aws)
    cluster = {**CLUSTER, "InstanceType": kind, "VolumeKmsKeyId": KEY}
    hosted = VARIANT | {"InstanceType": kind, "InitialInstanceCount": 1}
    requests: list[Callable[[], None]] = [
        lambda: train(aws, ResourceConfig=cluster),
        lambda: process(aws, cluster=cluster),
        lambda: transform(aws, kind=kind, resources={"VolumeKmsKeyId": KEY}),
        lambda: config(aws, ProductionVariants=[hosted], KmsKeyId=KEY),
    ]
    for ask in requests:
        with refused("local storage") if has_own else nullcontext():
            ask()
    config(aws, "no-key", ProductionVariants=[hosted])


def test_transform_payload(aws: AwsStandIn) -> None:
    model(aws)
    with refused("must not exceed 100 MB"):
        transform(aws, MaxPayloadInMB=60, MaxConcurrentTransforms=2)
    with refused("must not exceed 100 MB"):
        transform(aws, MaxConcurrentTransforms=17)
    transform(aws, MaxPayloadInMB=50, MaxConcurrentTransforms=2)


def test_transform_strategy(aws: AwsStandIn) -> None:
    model(aws)
    with refused("needs a SplitType"):
        transform(aws, BatchStrategy="MultiRecord")
    transform(aws, BatchStrategy="MultiRecord", source={"SplitType": "Line"})
