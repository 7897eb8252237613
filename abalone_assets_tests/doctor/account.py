"""What tests of the doctor on AWS share: the parts of an account, and what is found in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.aws.clients import client
from abalone_assets_tests.cli.support import abalone

if TYPE_CHECKING:
    from datetime import date

    from abalone_assets_tests.fakes.standin import AwsStandIn

ALARMS = ["abalone-errors", "abalone-latency"]
QUOTAS = {
    "ml.m5.large for training job usage": 4.0,
    "ml.m5.large for processing job usage": 4.0,
    "ml.m5.large for transform job usage": 4.0,
    "ml.m95.large for transform job usage": 0.0,
    "ml.m5.large for endpoint usage": 4.0,
    "ml.m96.large for endpoint usage": 2.0,
}
UNCHANGED = "ml.m97.large for processing job usage"
"""A quota that was never changed in this account."""

GLUE_ROLE = "abalone-glue"


def secure(aws: AwsStandIn) -> None:
    aws.s3.put_bucket_versioning(Bucket=aws.bucket, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    aws.s3.put_bucket_encryption(
        Bucket=aws.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    block_public_access(aws, blocked=True)


def block_public_access(aws: AwsStandIn, *, blocked: bool) -> None:
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    aws.s3.put_public_access_block(
        Bucket=aws.bucket, PublicAccessBlockConfiguration=dict.fromkeys(names, blocked)
    )


def make_glue(aws: AwsStandIn) -> None:
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "abalone"})
    glue.create_crawler(
        Name="abalone-landing-zone",
        Role=GLUE_ROLE,
        DatabaseName="abalone",
        Targets={"S3Targets": [{"Path": f"s3://{aws.bucket}/landing_zone/"}]},
    )
    glue.create_job(
        Name="abalone-prepare",
        Role=f"arn:aws:iam::123456789012:role/{GLUE_ROLE}",
        GlueVersion="5.1",
        WorkerType="G.1X",
        NumberOfWorkers=2,
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{aws.bucket}/x.py"},
    )


def make_role(name: str = "abalone-jobs", service: str = "sagemaker.amazonaws.com") -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)


def put_alarm(name: str, state: str = "OK") -> None:
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        MetricName="Invocation5XXErrors",
        Namespace="AWS/SageMaker",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")


def set_date(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    monkeypatch.setattr("abalone_assets.doctor.aws.services._today", lambda: day)


def findings() -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and findings, by subject."""
    result = abalone("doctor", "--json")
    document = json.loads(result.stdout)
    return result.exit_code, {found["subject"]: found for found in document["findings"]}
