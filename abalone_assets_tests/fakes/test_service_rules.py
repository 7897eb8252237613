"""One test for each rule of the table, named after it: what is refused, and what is not."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from abalone_assets_tests.deploy.iam import policy_of
from abalone_assets_tests.fakes.places import ACCOUNT, BUCKET, OWN_KEY, REGION, TEST_KEY
from abalone_assets_tests.fakes.service_rules.page import PAGE, rendered
from abalone_assets_tests.fakes.service_rules.table import RULES
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.fakes.test_standin import request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.fakes.standin import AwsStandIn

REGISTRY = f"683313688378.dkr.ecr.{REGION}.amazonaws.com"
METRICS = [{"Name": "validation:rmse", "Regex": "rmse=([0-9.]+)"}]
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
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
    with pytest.raises(ClientError, match=words) as told:
        yield
    assert told.value.response["Error"]["Code"] == code


def train(aws: AwsStandIn, name: str = "job", **changes: Any) -> None:
    aws.client("sagemaker").create_training_job(**request_of(aws, name, **changes))


def process(aws: AwsStandIn, name: str = "job", app: Any = None, **changes: Any) -> None:
    aws.client("sagemaker").create_processing_job(
        ProcessingJobName=name,
        AppSpecification={"ImageUri": "x", "ContainerEntrypoint": ["true"], **(app or {})},
        ProcessingResources={"ClusterConfig": CLUSTER},
        **{"RoleArn": aws.role_arn, **changes},
    )


def model(aws: AwsStandIn, name: str = "m", **changes: Any) -> None:
    container = {"Image": "x", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}
    given = {"PrimaryContainer": container, "ExecutionRoleArn": aws.role_arn, **changes}
    aws.client("sagemaker").create_model(ModelName=name, **given)


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


def endpoint(aws: AwsStandIn, name: str = "e", count: int = 2) -> None:
    """An endpoint, of a model that nothing answers for, and configurations to update it to."""
    model(aws)
    config(aws, "before", count)
    config(aws, "after", count)
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
    for create in (train, process, model):
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


def test_pass_role(aws: AwsStandIn) -> None:
    strangers = f"arn:aws:iam::{'9' * 12}:role/another"
    with refused("iam:PassRole", "AccessDeniedException"):
        train(aws, RoleArn=strangers)
    with refused("iam:PassRole", "AccessDeniedException"):
        crawl(aws, "strangers", strangers)
    train(aws, "own")
    aws.identity = policy_of("run")
    jobs = f"arn:aws:iam::{ACCOUNT}:role/abalone-sagemaker-{REGION}"
    for create in (train, process, model):
        with refused("iam:PassRole", "AccessDeniedException"):
            create(aws, "x", **{_role_of(create): f"arn:aws:iam::{ACCOUNT}:role/admin"})
        create(aws, "y", **{_role_of(create): jobs})
    with refused("iam:PassRole", "AccessDeniedException"):
        crawl(aws, "not-this-service", f"abalone-sagemaker-{REGION}")


def _role_of(create: Any) -> str:
    return "ExecutionRoleArn" if create is model else "RoleArn"


def test_crawler_security_configuration(aws: AwsStandIn) -> None:
    plain, able = role(aws, "plain", "s3:GetObject"), role(aws, "able", "glue:Get*")
    for number, arn in enumerate((plain, f"arn:aws:iam::{ACCOUNT}:role/no-such")):
        with refused("glue:GetSecurityConfiguration", "InvalidInputException"):
            crawl(aws, f"refused-{number}", arn, CrawlerSecurityConfiguration="s")
    crawl(aws, "without", plain)
    crawl(aws, "with", able, CrawlerSecurityConfiguration="s")


def test_vpc_role(aws: AwsStandIn) -> None:
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    plain, able = role(aws, "plain", "s3:GetObject"), role(aws, "able", "ec2:*")
    with refused("ec2:"):
        train(aws, RoleArn=plain, VpcConfig=vpc)
    with refused("ec2:"):
        process(aws, RoleArn=plain, NetworkConfig={"VpcConfig": vpc})
    with refused("ec2:"):
        model(aws, ExecutionRoleArn=plain, VpcConfig=vpc)
    train(aws, RoleArn=plain)
    train(aws, "able", RoleArn=able, VpcConfig=vpc)


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
    variant = {
        "VariantName": "All",
        "ModelName": "m",
        "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
    }
    with refused("Data capture"):
        config(aws, ProductionVariants=[variant], DataCaptureConfig=CAPTURE)
    with refused("one production variant"):
        config(aws, ProductionVariants=[variant, {**variant, "VariantName": "Other"}])
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    model(aws, "enclosed", VpcConfig=vpc)
    with refused("VPC"):
        config(aws, ProductionVariants=[{**variant, "ModelName": "enclosed"}])
    config(aws, ProductionVariants=[variant])


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


def test_signed_region(aws: AwsStandIn) -> None:
    import boto3
    from botocore.config import Config

    def s3(region: str) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=aws.url,
            region_name=region,
            aws_access_key_id=TEST_KEY,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    with refused("the region 'us-east-2' is wrong", "AuthorizationHeaderMalformed"):
        s3("us-east-2").put_object(Bucket=BUCKET, Key="x", Body=b"")
    s3(REGION).put_object(Bucket=BUCKET, Key="x", Body=b"")
    assert s3("us-east-2").head_bucket(Bucket=BUCKET)["BucketRegion"] == REGION


def test_every_rule_has_its_test_and_a_source_and_the_page_lists_it() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    for rule in RULES:
        assert rule.name in tested, rule.name
        assert re.match(r"https://\S+", rule.source), rule.name
    assert PAGE.read_text() == rendered(), "python -m abalone_assets_tests.fakes.service_rules.page"
