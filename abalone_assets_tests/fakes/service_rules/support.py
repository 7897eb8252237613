"""Requests to the stand-in that a test of a rule changes, and what it takes for a refusal."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from abalone_assets_tests.fakes.places import ACCOUNT, BUCKET, OWN_KEY, REGION
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.fakes.test_standin import request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.fakes.standin import AwsStandIn

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0d9f6c4e-1111-4222-8333-0123456789ab"
VPC: dict[str, Any] = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
VARIANT: dict[str, Any] = {"VariantName": "All", "ModelName": "m"}
SERVERLESS = VARIANT | {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}
CLUSTER: dict[str, Any] = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
CAPTURE: dict[str, Any] = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{BUCKET}/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {
        "CsvContentTypes": ["text/csv"],
        "JsonContentTypes": ["application/json"],
    },
}
CANARY: dict[str, Any] = {
    "Type": "CANARY",
    "WaitIntervalInSeconds": 60,
    "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
}


@contextmanager
def refused(words: str, code: str = "ValidationException") -> Iterator[None]:
    """A request that the service does not take."""
    with pytest.raises(ClientError, match=words) as told:
        yield
    assert told.value.response["Error"]["Code"] == code


def train(aws: AwsStandIn, name: str = "job", **changes: Any) -> None:
    aws.client("sagemaker").create_training_job(**request_of(aws, name, **changes))


def process(
    aws: AwsStandIn, name: str = "job", app: Any = None, cluster: Any = None, **changes: Any
) -> None:
    aws.client("sagemaker").create_processing_job(
        ProcessingJobName=name,
        AppSpecification={"ImageUri": "x", "ContainerEntrypoint": ["true"], **(app or {})},
        ProcessingResources={"ClusterConfig": {**CLUSTER, **(cluster or {})}},
        **{"RoleArn": aws.role_arn, **changes},
    )


def model(aws: AwsStandIn, name: str = "m", **changes: Any) -> None:
    container = {"Image": "x", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}
    given = {"PrimaryContainer": container, "ExecutionRoleArn": aws.role_arn, **changes}
    aws.client("sagemaker").create_model(ModelName=name, **given)


def transform(
    aws: AwsStandIn, name: str = "job", kind: str = "ml.m5.large", **changes: Any
) -> None:
    """Of nothing: the job fails, but is made."""
    below = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/none"}
    source = {"DataSource": {"S3DataSource": below}, **changes.pop("source", {})}
    resources = {"InstanceType": kind, "InstanceCount": 1, **changes.pop("resources", {})}
    output = {"S3OutputPath": f"s3://{BUCKET}/out", **changes.pop("output", {})}
    aws.client("sagemaker").create_transform_job(
        TransformJobName=name,
        TransformInput=source,
        TransformOutput=output,
        TransformResources=resources,
        **{"ModelName": "m", **changes},
    )


def config(
    aws: AwsStandIn, name: str = "c", count: int = 2, variant: str = "All", **changes: Any
) -> None:
    hosting = {"InstanceType": "ml.m5.large", "InitialInstanceCount": count}
    aws.client("sagemaker").create_endpoint_config(
        EndpointConfigName=name,
        **{
            "ProductionVariants": [
                {"VariantName": variant, "ModelName": "m", "InitialVariantWeight": 1.0, **hosting}
            ],
            **changes,
        },
    )


def endpoint(aws: AwsStandIn, name: str = "e", count: int = 2, **changes: Any) -> None:
    """An endpoint, of a model that nothing answers for, and configurations to update it to."""
    model(aws)
    config(aws, "before", count, **changes)
    config(aws, "after", count, **changes)
    aws.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName="before")
    wait_for(lambda: status(aws, name) != "Creating")


def status(aws: AwsStandIn, name: str = "e") -> str:
    described = aws.client("sagemaker").describe_endpoint(EndpointName=name)
    return str(described["EndpointStatus"])


def update(aws: AwsStandIn, routing: dict[str, Any] | None = None, **deployment: Any) -> None:
    policy = {"TrafficRoutingConfiguration": routing or CANARY, **deployment.pop("policy", {})}
    aws.client("sagemaker").update_endpoint(
        EndpointName="e",
        EndpointConfigName=deployment.pop("config", "after"),
        DeploymentConfig={"BlueGreenUpdatePolicy": policy, **deployment},
    )


def role(aws: AwsStandIn, name: str, *actions: str) -> str:
    """A role that may do some things."""
    iam = aws.client("iam", access_key=OWN_KEY)
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    if actions:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
    return arn


def crawl(aws: AwsStandIn, name: str, role_arn: str, **changes: Any) -> None:
    aws.client("glue").create_crawler(
        Name=name,
        Role=role_arn,
        DatabaseName="d",
        Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/x/"}]},
        **changes,
    )


def alarm(aws: AwsStandIn, name: str, state: str = "OK") -> dict[str, Any]:
    cloudwatch = aws.client("cloudwatch", access_key=OWN_KEY)
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")
    return {"AlarmName": name}
