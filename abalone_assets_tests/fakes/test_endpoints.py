from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from abalone_assets_tests.fakes.support import packed, wait_for

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)

INFERENCE = b"""
import pathlib
def model_fn(folder):
    print("loading")
    return float(pathlib.Path(folder, "model.txt").read_text())
def input_fn(body, content_type):
    return [float(line) for line in body.decode().splitlines()]
def predict_fn(rows, model):
    return [row * model for row in rows]
def output_fn(prediction, accept):
    return "".join(f"{value}\\n" for value in prediction), "text/csv"
"""
CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://abalone-tests/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


def package(aws: AwsStandIn, factor: str, status: str = "Approved") -> str:
    """ARN of a model package that multiplies by a factor, or cannot when it is no number."""
    uri = f"s3://{aws.bucket}/{factor}/model.tar.gz"
    archive = packed({"model.txt": factor.encode(), "code/inference.py": INFERENCE})
    aws.storage.write(uri, archive)
    sagemaker = aws.client("sagemaker")
    if not sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        sagemaker.create_model_package_group(ModelPackageGroupName="group")
    container = {"Image": "xgboost", "ModelDataUrl": uri}
    return str(
        sagemaker.create_model_package(
            ModelPackageGroupName="group",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            ModelApprovalStatus=status,
        )["ModelPackageArn"]
    )


def config_for(aws: AwsStandIn, name: str, factor: str) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=aws.role_arn,
        PrimaryContainer={"ModelPackageName": package(aws, factor)},
    )
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 2}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{**variant, "InstanceType": "ml.m7i.large"}],
        DataCaptureConfig=CAPTURE,
    )


def settled(aws: AwsStandIn) -> dict[str, Any]:
    sagemaker = aws.client("sagemaker")

    def endpoint() -> dict[str, Any] | None:
        found: dict[str, Any] = sagemaker.describe_endpoint(EndpointName="abalone")
        return found if found["EndpointStatus"] in {"InService", "Failed"} else None

    return wait_for(endpoint)


def deployed(aws: AwsStandIn, factor: str) -> dict[str, Any]:
    config_for(aws, f"config-{factor}", factor)
    aws.client("sagemaker").create_endpoint(
        EndpointName="abalone", EndpointConfigName=f"config-{factor}"
    )
    return settled(aws)


def updated(aws: AwsStandIn, factor: str) -> dict[str, Any]:
    config_for(aws, f"config-{factor}", factor)
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 300}
    routing["CanarySize"] = {"Type": "CAPACITY_PERCENT", "Value": 50}
    aws.client("sagemaker").update_endpoint(
        EndpointName="abalone",
        EndpointConfigName=f"config-{factor}",
        DeploymentConfig={
            "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
        },
    )
    return settled(aws)


def answer_to(aws: AwsStandIn, body: bytes) -> bytes:
    runtime = aws.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName="abalone", Body=body, ContentType="text/csv")
    return bytes(answer["Body"].read())


def test_an_endpoint_answers_with_its_models_own_code_and_captures(aws: AwsStandIn) -> None:
    endpoint = deployed(aws, "2")
    assert endpoint["EndpointStatus"] == "InService"
    assert endpoint["DataCaptureConfig"]["CaptureStatus"] == "Started"
    assert answer_to(aws, b"1\n3\n") == b"2.0\n6.0\n"
    [key] = [
        each["Key"]
        for each in aws.s3.list_objects_v2(Bucket=aws.bucket, Prefix="captured/")["Contents"]
    ]
    assert key.startswith("captured/abalone/AllTraffic/20")
    line = json.loads(aws.storage.read(f"s3://{aws.bucket}/{key}"))
    assert line["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "1\n3\n",
        "encoding": "CSV",
    }


def test_a_request_that_the_model_cannot_answer_is_a_model_error(aws: AwsStandIn) -> None:
    deployed(aws, "2")
    runtime = aws.client("sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ModelError, match="could not convert"):
        answer_to(aws, b"a lot\n")
    assert answer_to(aws, b"1\n") == b"2.0\n"


def test_an_update_serves_the_new_model(aws: AwsStandIn) -> None:
    deployed(aws, "2")
    assert updated(aws, "5")["EndpointConfigName"] == "config-5"
    assert answer_to(aws, b"1\n") == b"5.0\n"


def test_an_alarm_rolls_an_update_back(aws: AwsStandIn) -> None:
    deployed(aws, "2")
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Invocation5XXErrors",
        Namespace="AWS/SageMaker",
        Period=60,
        Threshold=0,
        Statistic="Sum",
    )
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="5 errors")
    endpoint = updated(aws, "5")
    assert endpoint["EndpointStatus"] == "InService"
    assert endpoint["EndpointConfigName"] == "config-2"
    assert "errors" in endpoint["FailureReason"]
    assert answer_to(aws, b"1\n") == b"2.0\n"


def test_a_model_that_does_not_load_fails_an_endpoint_and_rolls_an_update_back(
    aws: AwsStandIn,
) -> None:
    assert "health check" in deployed(aws, "much")["FailureReason"]
    sagemaker = aws.client("sagemaker")
    sagemaker.delete_endpoint(EndpointName="abalone")
    deployed(aws, "2")
    assert "health check" in updated(aws, "more")["FailureReason"]
    assert answer_to(aws, b"1\n") == b"2.0\n"


def test_an_unapproved_package_makes_no_model(aws: AwsStandIn) -> None:
    arn = package(aws, "2", status="PendingManualApproval")
    with pytest.raises(ClientError, match="not Approved"):
        aws.client("sagemaker").create_model(
            ModelName="m", ExecutionRoleArn=aws.role_arn, PrimaryContainer={"ModelPackageName": arn}
        )


def test_packages_and_groups_can_be_deleted_and_bear_tags(aws: AwsStandIn) -> None:
    arn = package(aws, "2")
    sagemaker = aws.client("sagemaker")
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []
    with pytest.raises(ClientError, match="not empty"):
        sagemaker.delete_model_package_group(ModelPackageGroupName="group")
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName="group")
    assert sagemaker.list_model_packages()["ModelPackageSummaryList"] == []
