from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from abalone_assets_tests.fakes.test_training_jobs import ended, log_of, request_of

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)


def test_calls_are_recorded_with_their_caller_and_resource(aws: AwsStandIn) -> None:
    aws.client("sagemaker").create_training_job(**request_of(aws))
    ended(aws)
    aws.client("s3").put_object(Bucket=aws.bucket, Key="a/b", Body=b"")
    aws.client("sts").get_caller_identity()
    aws.client("cloudwatch").describe_alarms()
    seen = {(call.action, call.resource, call.caller) for call in aws.calls}
    job = f"arn:aws:sagemaker:us-east-1:{aws.account}:training-job/job"
    assert seen == {
        ("sagemaker:CreateTrainingJob", job, "test"),
        ("sagemaker:DescribeTrainingJob", job, "test"),
        ("s3:PutObject", "arn:aws:s3:::abalone-tests/a/b", "test"),
        ("sts:GetCallerIdentity", "*", "test"),
        ("cloudwatch:DescribeAlarms", "*", "test"),
    }
    created = next(call for call in aws.calls if call.operation == "CreateTrainingJob")
    assert created.params["TrainingJobName"] == "job"


CALLS_FROM_INSIDE = "import boto3; boto3.client('s3').list_objects_v2(Bucket='abalone-tests')"


def test_calls_from_inside_a_job_are_told_apart(aws: AwsStandIn) -> None:
    aws.client("sagemaker").create_training_job(
        **request_of(aws, "inside", script=CALLS_FROM_INSIDE)
    )
    assert ended(aws, "inside")["TrainingJobStatus"] == "Completed"
    [call] = [call for call in aws.calls if call.caller != "test"]
    assert (call.caller, call.action) == ("inside", "s3:ListBucket")


def test_the_next_requests_of_an_operation_are_throttled(aws: AwsStandIn) -> None:
    aws.faults.throttle("ListTrainingJobs", times=2)
    sagemaker = aws.client("sagemaker")
    for _ in range(2):
        with pytest.raises(ClientError, match="ThrottlingException"):
            sagemaker.list_training_jobs()
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("sagemaker", "list_models", "ExpiredTokenException"),
        ("s3", "list_buckets", "ExpiredToken"),
        ("sts", "get_caller_identity", "ExpiredToken"),
        ("cloudwatch", "describe_alarms", "ExpiredTokenException"),
        ("ssm", "describe_parameters", "ExpiredTokenException"),
        ("iam", "list_roles", "ExpiredToken"),
    ],
)
def test_expired_credentials_are_refused_by_every_service(
    aws: AwsStandIn, service: str, operation: str, code: str
) -> None:
    aws.faults.expire_credentials()
    with pytest.raises(ClientError) as raised:
        getattr(aws.client(service), operation)()
    assert raised.value.response["Error"]["Code"] == code
    aws.faults.renew_credentials()
    getattr(aws.client(service), operation)()


def test_a_log_stream_may_appear_after_its_job_has_ended(aws: AwsStandIn) -> None:
    aws.faults.log_seconds = 1.5
    aws.client("sagemaker").create_training_job(**request_of(aws))
    ended(aws)
    assert aws.client("logs").describe_log_groups()["logGroups"] == []
    assert log_of(aws) == ["train:rmse=2.5;"]


def test_a_job_may_fail_or_be_stopped_before_it_runs(aws: AwsStandIn) -> None:
    sagemaker = aws.client("sagemaker")
    aws.faults.fail_next_job("InternalServerError: We encountered an internal error.")
    sagemaker.create_training_job(**request_of(aws, "first"))
    assert ended(aws, "first")["FailureReason"].startswith("InternalServerError")
    aws.faults.stop_next_job()
    sagemaker.create_training_job(**request_of(aws, "second"))
    assert ended(aws, "second")["TrainingJobStatus"] == "Stopped"


def test_a_new_test_finds_nothing_and_kills_what_the_last_one_left(
    aws: AwsStandIn,
) -> None:
    aws.faults.job_seconds = 50
    aws.client("sagemaker").create_training_job(**request_of(aws))
    started = time.monotonic()
    with type(aws)(aws.server, aws.folder / "again") as again:
        assert again.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []
        assert "Contents" not in again.s3.list_objects_v2(Bucket=again.bucket)
    aws.processes.end_all()
    assert time.monotonic() - started < 5
