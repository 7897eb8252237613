"""What no other test would notice: what AWS refuses, what was asked of it, and who asked."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from abalone_assets_tests.fakes.support import packed, wait_for

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


def request_of(aws: AwsStandIn, name: str = "job", **changes: Any) -> dict[str, Any]:
    """Parameters of a training job that runs a script on two rows."""
    uri = f"s3://{aws.bucket}"
    aws.s3.put_object(Bucket=aws.bucket, Key="train/rows.csv", Body=b"1,2\n3,4\n")
    script = packed({"train.py": changes.pop("script", "").encode()})
    aws.s3.put_object(Bucket=aws.bucket, Key="code/sourcedir.tar.gz", Body=script)
    hyperparameters = {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": json.dumps(f"{uri}/code/sourcedir.tar.gz"),
        **changes.pop("hyperparameters", {}),
    }
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{uri}/train"}
    return {
        "TrainingJobName": name,
        "RoleArn": aws.role_arn,
        "HyperParameters": hyperparameters,
        "AlgorithmSpecification": {"TrainingImage": "xgboost", "TrainingInputMode": "File"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        "OutputDataConfig": {"S3OutputPath": f"{uri}/jobs"},
        "ResourceConfig": {
            "InstanceType": "ml.m7i.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 5,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def ended(aws: AwsStandIn, name: str = "job") -> dict[str, Any]:
    """The description of a job that is over."""
    sagemaker = aws.client("sagemaker")

    def job() -> dict[str, Any] | None:
        described: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        running = described["TrainingJobStatus"] in {"InProgress", "Stopping"}
        return None if running else described

    return wait_for(job)


CALLS_FROM_INSIDE = "import boto3; boto3.client('s3').list_objects_v2(Bucket='abalone-tests')"


def test_calls_are_recorded_with_their_caller_and_resource(aws: AwsStandIn) -> None:
    aws.client("sagemaker").create_training_job(**request_of(aws, script=CALLS_FROM_INSIDE))
    assert ended(aws)["TrainingJobStatus"] == "Completed"
    aws.client("s3").put_object(Bucket=aws.bucket, Key="a/b", Body=b"")
    aws.client("sts").get_caller_identity()
    aws.client("cloudwatch").describe_alarms()
    seen = {(call.action, call.resource, call.caller) for call in aws.calls}
    job = f"arn:aws:sagemaker:us-east-1:{aws.account}:training-job/job"
    assert seen == {
        ("sagemaker:CreateTrainingJob", job, "test"),
        ("sagemaker:DescribeTrainingJob", job, "test"),
        ("s3:ListBucket", "arn:aws:s3:::abalone-tests", "job"),
        ("s3:PutObject", "arn:aws:s3:::abalone-tests/a/b", "test"),
        ("sts:GetCallerIdentity", "*", "test"),
        ("cloudwatch:DescribeAlarms", "*", "test"),
    }
    created = next(call for call in aws.calls if call.operation == "CreateTrainingJob")
    assert created.params["TrainingJobName"] == "job"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "x" * 64}, "less than or equal to 63"),
        ({"Environment": {"X": "x" * 513}}, "less than or equal to 512"),
        ({"hyperparameters": {"x": "x" * 2501}}, "less than or equal to 2500"),
        ({"Tags": [{"Key": "a", "Value": "one|two"}]}, "regular expression"),
        ({"EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds"),
    ],
)
def test_what_sagemaker_refuses_is_refused(
    aws: AwsStandIn, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        aws.client("sagemaker").create_training_job(**request_of(aws, **changes))


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


SPARK_REGION = """
import os
from pathlib import Path
told = (Path(os.environ["SPARK_CONF_DIR"]) / "spark-defaults.conf").read_text()
print([line.split()[1] for line in told.splitlines() if ".endpoint.region" in line])
"""


@pytest.mark.parametrize(
    ("version", "of_the_job", "of_the_run", "region"),
    [
        ("5.1", {}, {}, ["us-east-2"]),
        ("5.0", {}, {}, []),
        ("5.1", {"--conf": "spark.hadoop.fs.s3a.endpoint.region=a"}, {}, ["a"]),
        (
            "5.1",
            {"--conf": "spark.hadoop.fs.s3a.endpoint.region=a"},
            {"--conf": "spark.hadoop.fs.s3a.endpoint.region=b --conf spark.x=1"},
            ["b"],
        ),
    ],
)
def test_s3a_of_glue_5_1_takes_us_east_2_unless_it_is_told(
    aws: AwsStandIn,
    version: str,
    of_the_job: dict[str, str],
    of_the_run: dict[str, str],
    region: list[str],
) -> None:
    aws.s3.put_object(Bucket=aws.bucket, Key="x.py", Body=SPARK_REGION.encode())
    glue, logs = aws.client("glue"), aws.client("logs")
    glue.create_job(
        Name="etl",
        Role=aws.role_arn,
        GlueVersion=version,
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{aws.bucket}/x.py"},
        DefaultArguments=of_the_job,
    )
    run = glue.start_job_run(JobName="etl", Arguments=of_the_run)["JobRunId"]

    def over() -> bool:
        state = glue.get_job_run(JobName="etl", RunId=run)["JobRun"]["JobRunState"]
        return state not in {"STARTING", "RUNNING"}

    wait_for(over)
    told = logs.get_log_events(logGroupName="/aws-glue/jobs/output", logStreamName=run)
    assert [event["message"] for event in told["events"]] == [str(region)]
