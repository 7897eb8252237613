from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from abalone_assets_tests.fakes.support import packed, wait_for, wait_for_log

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)

LOGS = "/aws/sagemaker/TrainingJobs"
TRAIN = """
import argparse, json, os, pathlib, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--eta", type=float)
parser.add_argument("--sleep", type=float, default=0)
options = parser.parse_args()
rows = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "rows.csv").read_text().splitlines()
print(f"train:rmse={options.eta + 2};", flush=True)
time.sleep(options.sleep)
if options.eta < 0:
    sys.exit("eta must be positive")
model = {"eta": options.eta, "rows": len(rows), "colour": os.environ["COLOUR"]}
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps(model))
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "metrics.json").write_text("{}")
"""


def request_of(aws: AwsStandIn, name: str = "job", **changes: Any) -> dict[str, Any]:
    """Parameters of a training job that runs `TRAIN` on two rows."""
    uri = f"s3://{aws.bucket}"
    aws.s3.put_object(Bucket=aws.bucket, Key="train/rows.csv", Body=b"1,2\n3,4\n")
    script = packed({"train.py": changes.pop("script", TRAIN).encode()})
    aws.s3.put_object(Bucket=aws.bucket, Key="code/sourcedir.tar.gz", Body=script)
    hyperparameters = {
        "eta": "0.5",
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": json.dumps(f"{uri}/code/sourcedir.tar.gz"),
        **changes.pop("hyperparameters", {}),
    }
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{uri}/train"}
    return {
        "TrainingJobName": name,
        "RoleArn": aws.role_arn,
        "HyperParameters": hyperparameters,
        "Environment": {"COLOUR": "red"},
        "AlgorithmSpecification": {
            "TrainingImage": "xgboost",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train:rmse", "Regex": "train:rmse=([0-9.]+);"}],
        },
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


def log_of(aws: AwsStandIn, name: str = "job") -> list[str]:
    return wait_for_log(aws, LOGS, f"{name}/algo-1-")


def members(aws: AwsStandIn, key: str) -> dict[str, bytes]:
    data = aws.s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_a_training_job_runs_its_script_and_uploads_what_it_leaves(aws: AwsStandIn) -> None:
    aws.client("sagemaker").create_training_job(**request_of(aws))
    job = ended(aws)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed"
    assert job["Environment"] == {"COLOUR": "red"}
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("/jobs/job/output/model.tar.gz")
    model = members(aws, "jobs/job/output/model.tar.gz")["model.json"]
    assert json.loads(model) == {"eta": 0.5, "rows": 2, "colour": "red"}
    assert members(aws, "jobs/job/output/output.tar.gz") == {"metrics.json": b"{}"}
    assert [(m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]] == [
        ("train:rmse", 2.5)
    ]
    assert job["BillableTimeInSeconds"] >= 1
    assert log_of(aws) == ["train:rmse=2.5;"]
    statuses = [each["Status"] for each in job["SecondaryStatusTransitions"]]
    assert statuses[-4:] == ["Downloading", "Training", "Uploading", "Completed"]


def test_a_script_that_fails_gives_the_reason(aws: AwsStandIn) -> None:
    request = request_of(aws, hyperparameters={"eta": "-1"})
    request["AlgorithmSpecification"]["TrainingImage"] = "tensorflow-training"
    aws.client("sagemaker").create_training_job(**request)
    job = ended(aws)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode 1")
    assert "eta must be positive" in job["FailureReason"]
    assert "ModelArtifacts" not in job


def test_a_script_that_fails_in_the_xgboost_container_gives_its_reason_to_the_log_alone(
    aws: AwsStandIn,
) -> None:
    request = request_of(aws, hyperparameters={"eta": "-1"})
    aws.client("sagemaker").create_training_job(**request)
    assert ended(aws)["FailureReason"] == (
        'AlgorithmError: ExecuteUserScriptError:\nCommand "python3 -m train", exit code: 1'
    )
    assert log_of(aws)[-1] == "eta must be positive"


def test_a_stopped_job_shows_its_log_while_it_runs_and_dies_at_once(aws: AwsStandIn) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_training_job(**request_of(aws, hyperparameters={"sleep": "50"}))
    assert log_of(aws) == ["train:rmse=2.5;"]
    sagemaker.stop_training_job(TrainingJobName="job")
    job = ended(aws)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")


def test_a_job_that_runs_too_long_is_stopped(aws: AwsStandIn) -> None:
    request = request_of(aws, hyperparameters={"sleep": "50"})
    request["StoppingCondition"] = {"MaxRuntimeInSeconds": 1}
    aws.client("sagemaker").create_training_job(**request)
    job = ended(aws)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


CHECKPOINTED = """
import os, pathlib, time
folder = pathlib.Path(os.environ["CHECKPOINTS"])
if not (folder / "half").exists():
    (folder / "half").write_text("done")
    time.sleep(50)
pathlib.Path(os.environ["SM_MODEL_DIR"], "model").touch()
"""


def test_an_interrupted_spot_job_goes_on_from_its_checkpoint_and_costs_less(
    aws: AwsStandIn,
) -> None:
    aws.faults.interrupt_spot_after = 0.7
    uri = f"s3://{aws.bucket}/checkpoints"
    request = request_of(
        aws,
        script=CHECKPOINTED,
        EnableManagedSpotTraining=True,
        CheckpointConfig={"S3Uri": uri},
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        Environment={"CHECKPOINTS": "/opt/ml/checkpoints"},
    )
    aws.client("sagemaker").create_training_job(**request)
    job = ended(aws)
    assert job["TrainingJobStatus"] == "Completed"
    assert "Interrupted" in [each["Status"] for each in job["SecondaryStatusTransitions"]]
    assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]
    assert aws.storage.read(f"{uri}/half") == b"done"


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


def test_a_name_is_used_once(aws: AwsStandIn) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_training_job(**request_of(aws))
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_training_job(**request_of(aws))


def test_an_input_that_is_not_there_fails_the_job(aws: AwsStandIn) -> None:
    request = request_of(aws)
    aws.s3.delete_object(Bucket=aws.bucket, Key="train/rows.csv")
    aws.client("sagemaker").create_training_job(**request)
    assert "No S3 objects found under S3 URL" in ended(aws)["FailureReason"]
