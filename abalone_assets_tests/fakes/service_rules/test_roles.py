"""Rules of roles: what is refused, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets_tests.deploy.iam import policy_of
from abalone_assets_tests.fakes.places import ACCOUNT, BUCKET, REGION
from abalone_assets_tests.fakes.service_rules.support import (
    CLUSTER,
    KEY,
    VPC,
    crawl,
    model,
    process,
    refused,
    role,
    train,
    transform,
)

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


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
    plain, able = role(aws, "plain", "s3:GetObject"), role(aws, "able", "ec2:*")
    with refused("ec2:"):
        train(aws, RoleArn=plain, VpcConfig=VPC)
    with refused("ec2:"):
        process(aws, RoleArn=plain, NetworkConfig={"VpcConfig": VPC})
    with refused("ec2:"):
        model(aws, ExecutionRoleArn=plain, VpcConfig=VPC)
    train(aws, RoleArn=plain)
    train(aws, "able", RoleArn=able, VpcConfig=VPC)


@pytest.mark.parametrize(
    ("attached", "needed"),
    [("volume", "kms:CreateGrant"), ("output", "kms:Encrypt"), ("output", "kms:GenerateDataKey")],
)
def test_key_role(aws: AwsStandIn, attached: str, needed: str) -> None:
    every = {"kms:CreateGrant", "kms:Encrypt", "kms:GenerateDataKey"}
    lacks, able = role(aws, "lacks", *every - {needed}), role(aws, "able", *every)
    place = f"s3://{BUCKET}/out"
    saved = {"Outputs": [{"OutputName": "o", "S3Output": _s3(place)}], "KmsKeyId": KEY}
    on_volume: Any = {"ResourceConfig": {**CLUSTER, "VolumeKmsKeyId": KEY}}
    on_output: Any = {"OutputDataConfig": {"S3OutputPath": place, "KmsKeyId": KEY}}
    trained = on_volume if attached == "volume" else on_output
    on_cluster: Any = {"cluster": {"VolumeKmsKeyId": KEY}}
    processed = on_cluster if attached == "volume" else {"ProcessingOutputConfig": saved}
    with refused(needed):
        train(aws, RoleArn=lacks, **trained)
    with refused(needed):
        process(aws, RoleArn=lacks, **processed)
    on_resources: Any = {"resources": {"VolumeKmsKeyId": KEY}}
    on_answers: Any = {"output": {"KmsKeyId": KEY}}
    transformed = on_resources if attached == "volume" else on_answers
    model(aws, ExecutionRoleArn=lacks)
    with refused(needed):
        transform(aws, **transformed)
    transform(aws)
    train(aws, RoleArn=lacks)
    train(aws, "able", RoleArn=able, **trained)
    process(aws, "able", RoleArn=able, **processed)
    model(aws, "able", ExecutionRoleArn=able)
    transform(aws, "able", ModelName="able", **transformed)


def _s3(uri: str) -> dict[str, str]:
    return {"S3Uri": uri, "LocalPath": "/opt/ml/processing/o", "S3UploadMode": "EndOfJob"}
