from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from abalone_assets_tests.fakes.support import wait_for

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)

SCRIPT = """
import os, pathlib, sys, time
source, target = map(pathlib.Path, sys.argv[1:3])
print("evaluating", flush=True)
(target / "result.txt").write_text(source.read_text().upper() + os.environ["COLOUR"])
(target.parent.parent / "output").mkdir(exist_ok=True)
if "fail" in sys.argv:
    sys.exit(3)
if "wait" in sys.argv:
    time.sleep(50)
"""
CODE = "/opt/ml/processing/input/code"
MODEL = "/opt/ml/processing/model"
RESULT = "/opt/ml/processing/evaluation"


def request_of(aws: AwsStandIn, *extra: str, **changes: Any) -> dict[str, Any]:
    uri = f"s3://{aws.bucket}"
    aws.s3.put_object(Bucket=aws.bucket, Key="code/evaluate.py", Body=SCRIPT.encode())
    aws.s3.put_object(Bucket=aws.bucket, Key="models/model.txt", Body=b"model")
    inputs = {"code": (f"{uri}/code/evaluate.py", CODE), "model": (f"{uri}/models", MODEL)}
    target = {"S3Uri": f"{uri}/result", "LocalPath": RESULT, "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingJobName": "job",
        "RoleArn": aws.role_arn,
        "Environment": {"COLOUR": "red"},
        "AppSpecification": {
            "ImageUri": "xgboost",
            "ContainerEntrypoint": ["python3", f"{CODE}/evaluate.py"],
            "ContainerArguments": [f"{MODEL}/model.txt", RESULT, *extra],
        },
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {"S3Uri": source, "LocalPath": path, "S3DataType": "S3Prefix"},
            }
            for name, (source, path) in inputs.items()
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "result", "S3Output": target}]},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 5,
            }
        },
        **changes,
    }


def ended(aws: AwsStandIn) -> dict[str, Any]:
    sagemaker = aws.client("sagemaker")

    def job() -> dict[str, Any] | None:
        described: dict[str, Any] = sagemaker.describe_processing_job(ProcessingJobName="job")
        running = described["ProcessingJobStatus"] in {"InProgress", "Stopping"}
        return None if running else described

    return wait_for(job)


def test_a_processing_job_finds_its_inputs_and_uploads_its_outputs(aws: AwsStandIn) -> None:
    aws.client("sagemaker").create_processing_job(**request_of(aws))
    job = ended(aws)
    assert job["ProcessingJobStatus"] == "Completed"
    assert job["Environment"] == {"COLOUR": "red"}
    assert aws.storage.read(f"s3://{aws.bucket}/result/result.txt") == b"MODELred"


def test_a_script_that_fails_uploads_nothing(aws: AwsStandIn) -> None:
    aws.client("sagemaker").create_processing_job(**request_of(aws, "fail"))
    job = ended(aws)
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].endswith("exit code: 3")
    assert "Contents" not in aws.s3.list_objects_v2(Bucket=aws.bucket, Prefix="result/")


def test_a_stopped_job_dies_at_once(aws: AwsStandIn) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_processing_job(**request_of(aws, "wait"))
    wait_for(lambda: aws.client("logs").describe_log_groups()["logGroups"])
    sagemaker.stop_processing_job(ProcessingJobName="job")
    assert ended(aws)["ProcessingJobStatus"] == "Stopped"


def test_an_environment_value_too_long_for_processing_is_refused(aws: AwsStandIn) -> None:
    with pytest.raises(ClientError, match="less than or equal to 256"):
        aws.client("sagemaker").create_processing_job(
            **request_of(aws, Environment={"X": "x" * 257})
        )
