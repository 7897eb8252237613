"""Rules of a changed endpoint: what is refused, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets_tests.fakes.service_rules.support import (
    SERVERLESS,
    VARIANT,
    alarm,
    config,
    endpoint,
    refused,
    update,
)

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


def test_update_in_progress(aws: AwsStandIn) -> None:
    endpoint(aws)
    aws.faults.endpoint_seconds = 100.0
    update(aws)
    with refused("Cannot update in-progress endpoint"):
        update(aws)
    with refused("Cannot update in-progress endpoint"):
        aws.client("sagemaker").delete_endpoint(EndpointName="e")


def test_rollback_alarms(aws: AwsStandIn) -> None:
    endpoint(aws)
    quiet, ringing = alarm(aws, "quiet"), alarm(aws, "ringing", "ALARM")
    with refused("missing"):
        update(aws, AutoRollbackConfiguration={"Alarms": [quiet, {"AlarmName": "missing"}]})
    with refused("ringing"):
        update(aws, AutoRollbackConfiguration={"Alarms": [quiet, ringing]})
    many = [alarm(aws, f"alarm-{number}") for number in range(11)]
    with refused("at most 10"):
        update(aws, AutoRollbackConfiguration={"Alarms": many})
    update(aws, AutoRollbackConfiguration={"Alarms": [quiet]})


@pytest.mark.parametrize(
    ("count", "kind", "size", "fits"),
    [
        (1, "CANARY", ("CAPACITY_PERCENT", 50), False),
        (2, "CANARY", ("CAPACITY_PERCENT", 51), False),
        (2, "CANARY", ("INSTANCE_COUNT", 2), False),
        (2, "LINEAR", ("CAPACITY_PERCENT", 60), False),
        (2, "CANARY", ("CAPACITY_PERCENT", 50), True),
        (4, "LINEAR", ("INSTANCE_COUNT", 2), True),
        (1, "ALL_AT_ONCE", None, True),
    ],
)
def test_canary_capacity(
    aws: AwsStandIn, count: int, kind: str, size: tuple[str, int] | None, *, fits: bool
) -> None:
    endpoint(aws, count=count)
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": 0}
    if size is not None:
        name = "CanarySize" if kind == "CANARY" else "LinearStepSize"
        routing[name] = {"Type": size[0], "Value": size[1]}
    if fits:
        update(aws, routing)
    else:
        with refused("at most half"):
            update(aws, routing)


@pytest.mark.parametrize(
    ("policy", "fits"),
    [
        ({"MaximumExecutionTimeoutInSeconds": 28_801}, False),
        ({"MaximumExecutionTimeoutInSeconds": 650, "TerminationWaitInSeconds": 600}, False),
        ({"MaximumExecutionTimeoutInSeconds": 661, "TerminationWaitInSeconds": 600}, True),
    ],
)
def test_deployment_time(aws: AwsStandIn, policy: dict[str, int], *, fits: bool) -> None:
    endpoint(aws)
    if fits:
        update(aws, policy=policy)
    else:
        with refused("MaximumExecutionTimeoutInSeconds"):
            update(aws, policy=policy)


def test_variant_names(aws: AwsStandIn) -> None:
    endpoint(aws)
    config(aws, "renamed", variant="Another")
    with refused("must be those that serve"):
        update(aws, config="renamed")
    update(aws)


def test_instances_to_serverless(aws: AwsStandIn) -> None:
    endpoint(aws)
    config(aws, "serverless", ProductionVariants=[SERVERLESS])
    with refused("real-time endpoint to a serverless endpoint"):
        change(aws, "serverless")
    change(aws, "after")


def test_serverless_guardrails(aws: AwsStandIn) -> None:
    endpoint(aws, ProductionVariants=[SERVERLESS])
    config(aws, "instances")
    everything = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    for new in ("after", "instances"):
        with refused("DeploymentConfig is not supported for serverless"):
            update(aws, everything, config=new)
    change(aws, "after")


def test_scaled_instance_type(aws: AwsStandIn) -> None:
    endpoint(aws)
    larger = VARIANT | {"InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 2}
    config(aws, "larger", ProductionVariants=[larger])
    scaled: dict[str, str] = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/e/variant/All",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling = aws.client("application-autoscaling")
    scaling.register_scalable_target(**scaled, MinCapacity=1, MaxCapacity=2)
    with refused("scalable target"):
        change(aws, "larger")
    scaling.deregister_scalable_target(**scaled)
    change(aws, "larger")


def change(aws: AwsStandIn, name: str) -> None:
    """Update with no deployment's configuration."""
    aws.client("sagemaker").update_endpoint(EndpointName="e", EndpointConfigName=name)
