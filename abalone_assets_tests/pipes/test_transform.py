"""Batch transform jobs: a model's container answers, and Pipes is never opened."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.pipes import (
    PipesJobInvocation,
    PipesJobParametersError,
    PipesSageMakerTransformClient,
    stop_orphaned_jobs,
)
from abalone_assets_tests.pipes.lab import OPTIONS, PREFIX, Lab, asset_of, create_run
from abalone_assets_tests.pipes.test_orphans import NO_GRACE
from abalone_assets_tests.serving.sagemaker.hosting import ENDPOINT, constant_archive

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account

SLOW = """
import time

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    time.sleep(100)
"""


class Transforms:
    """One test's transform jobs of one model."""

    def __init__(self, lab: Lab, account: Account) -> None:
        self.lab = lab
        self.aws = lab.aws
        self.account = account
        self.options: dict[str, Any] = {}

    def model(self, archive: bytes) -> str:
        self.account.register(archive)
        self.account.ensure_configs(ENDPOINT)
        [name] = self.account.models()
        return name

    def put(self, name: str, text: str) -> str:
        self.aws.s3.put_object(Bucket=self.aws.bucket, Key=name, Body=text.encode())
        return f"s3://{self.aws.bucket}/{name}"

    def read(self, name: str) -> str:
        found = self.aws.s3.get_object(Bucket=self.aws.bucket, Key=name)
        return str(found["Body"].read().decode())

    def request(self, model: str, uri: str, **more: Any) -> dict[str, Any]:
        return {
            "ModelName": model,
            "BatchStrategy": "MultiRecord",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": f"s3://{self.aws.bucket}/out",
                "Accept": "text/csv",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **more,
        }

    def asset(self, request: dict[str, Any], **arguments: Any) -> dg.AssetsDefinition:
        def run(context: dg.AssetExecutionContext) -> PipesJobInvocation:
            options = {**OPTIONS, "bucket": self.aws.bucket, **self.options}
            return PipesSageMakerTransformClient(**options).run(
                context=context, create_transform_job_params=request, **arguments
            )

        return asset_of(run)

    def jobs(self) -> dict[str, str]:
        listed = self.account.sagemaker.list_transform_jobs()["TransformJobSummaries"]
        return {job["TransformJobName"]: job["TransformJobStatus"] for job in listed}


@pytest.fixture
def transforms(lab: Lab, account: Account) -> Transforms:
    return Transforms(lab, account)


def test_every_input_is_answered_in_order_and_the_asset_says_what_it_cost(
    transforms: Transforms,
) -> None:
    model = transforms.model(constant_archive(9.5))
    transforms.put("in/one.csv", "a\nb\nc\n")
    transforms.put("in/two.csv", "d\n")
    request = transforms.request(model, f"s3://{transforms.aws.bucket}/in/")
    result = dg.materialize([transforms.asset(request)], instance=transforms.lab.instance)

    assert transforms.read("out/one.csv.out") == "9.5\n9.5\n9.5\n"
    assert transforms.read("out/two.csv.out") == "9.5\n"
    [event] = result.asset_materializations_for_node("model")
    metadata = {key: value.value for key, value in event.metadata.items()}
    assert metadata["aws/output_files"] == 2
    assert metadata["aws/output_bytes"] == 16
    assert metadata["aws/instance_type"] == "ml.m5.large"
    assert metadata["aws/attempt"] == 1
    assert str(metadata["aws/job_url"]).endswith(f"#/transform-jobs/{metadata['aws/job_name']}")
    assert "aws/estimated_cost_usd" in metadata
    log = "\n".join(transforms.lab.log(result.run_id))
    assert "opened dagster pipes" not in log  # nobody has
    assert "did not receive any messages" not in log
    assert transforms.lab.stored() == []


def test_the_container_is_given_the_callers_environment_alone(transforms: Transforms) -> None:
    model = transforms.model(constant_archive(9.5))
    uri = transforms.put("in/one.csv", "a\n")
    request = transforms.request(model, uri, Environment={"MINE": "1"})
    result = dg.materialize([transforms.asset(request)], instance=transforms.lab.instance)
    [call] = [call for call in transforms.aws.calls if call.operation == "CreateTransformJob"]
    assert call.params["Environment"] == {"MINE": "1"}
    tags = {tag["Key"]: tag["Value"] for tag in call.params["Tags"]}
    assert tags["dagster/run-id"] == result.run_id
    assert tags["dagster/pipes-channel"] == f"{transforms.aws.bucket}/{PREFIX}"
    assert "StoppingCondition" not in call.params


def test_a_bad_record_fails_the_step_with_what_the_container_said(transforms: Transforms) -> None:
    model = transforms.model(constant_archive(9.5))
    transforms.put("in/bad.csv", "a\nQ\n")
    transforms.put("in/good.csv", "a\n")
    request = transforms.request(model, f"s3://{transforms.aws.bucket}/in/")
    result = dg.materialize(
        [transforms.asset(request)], instance=transforms.lab.instance, raise_on_error=False
    )
    failure = transforms.lab.failure(result.run_id)
    assert "ended as Failed: ClientError: See job logs" in failure.description
    assert "[data-log] [sagemaker logs]: " in failure.description
    assert "'Q' is none of M, F, I" in failure.description
    assert failure.metadata["aws/job_name"].value in transforms.jobs()
    assert transforms.read("out/good.csv.out") == "9.5\n"  # as SageMaker goes on with the others


def test_a_job_that_wrote_no_output_has_not_succeeded(
    transforms: Transforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = transforms.model(constant_archive(9.5))
    uri = transforms.put("in/one.csv", "a\n")
    monkeypatch.setattr(transforms.aws.storage, "write", lambda *_: None)
    result = dg.materialize(
        [transforms.asset(transforms.request(model, uri))],
        instance=transforms.lab.instance,
        raise_on_error=False,
    )
    told = transforms.lab.failure(result.run_id).description
    assert f"completed, but these inputs have no output: {uri}" in told


def test_a_retry_attaches_to_the_completed_job_while_its_output_is_there(
    transforms: Transforms,
) -> None:
    model = transforms.model(constant_archive(9.5))
    uri = transforms.put("in/one.csv", "a\n")
    asset = transforms.asset(transforms.request(model, uri))
    lab = transforms.lab

    first = lab.execute(asset)
    lab.instance.report_run_failed(first)  # the worker was killed after the job's end
    lab.execute(asset, first, retry_number="1")
    assert list(transforms.jobs().values()) == ["Completed"]

    transforms.aws.s3.delete_object(Bucket=transforms.aws.bucket, Key="out/one.csv.out")
    lab.execute(asset, first, retry_number="2")
    assert sorted(name[-2:] for name in transforms.jobs()) == ["-1", "-2"]


def test_a_terminated_run_stops_the_job(transforms: Transforms) -> None:
    transforms.options["poll_interval"] = 0.05
    model = transforms.model(constant_archive(9.5, SLOW))
    uri = transforms.put("in/one.csv", "a\n")
    sagemaker = transforms.account.sagemaker

    class Interrupting:
        """A client whose second description is interrupted."""

        looks = 0

        def __getattr__(self, name: str) -> Any:
            if name == "describe_transform_job" and transforms.jobs():
                Interrupting.looks += 1
                if Interrupting.looks == 2:
                    raise dg.DagsterExecutionInterruptedError
            return getattr(sagemaker, name)

    transforms.options["client"] = Interrupting()
    with suppress(dg.DagsterExecutionInterruptedError):
        dg.materialize(
            [transforms.asset(transforms.request(model, uri))],
            instance=transforms.lab.instance,
            raise_on_error=False,
        )
    assert set(transforms.jobs().values()) <= {"Stopping", "Stopped"}
    assert transforms.jobs()


def test_a_job_that_runs_for_too_long_is_stopped_here(transforms: Transforms) -> None:
    model = transforms.model(constant_archive(9.5, SLOW))
    uri = transforms.put("in/one.csv", "a\n")
    result = dg.materialize(
        [transforms.asset(transforms.request(model, uri), max_runtime_seconds=1)],
        instance=transforms.lab.instance,
        raise_on_error=False,
    )
    told = transforms.lab.failure(result.run_id).description
    assert "ended as Stopped: its longest run time of 1 s was over" in told
    assert list(transforms.jobs().values()) == ["Stopped"]


def test_an_orphan_is_swept(transforms: Transforms) -> None:
    transforms.aws.faults.job_seconds = 100.0
    model = transforms.model(constant_archive(9.5))
    uri = transforms.put("in/one.csv", "a\n")
    lab = transforms.lab
    run = create_run(lab.instance, transforms.asset(transforms.request(model, uri)))
    lab.instance.report_run_failed(run)
    tags = {
        "dagster/run-id": run.run_id,
        "dagster/pipes-channel": f"{transforms.aws.bucket}/{PREFIX}",
    }
    transforms.account.sagemaker.create_transform_job(
        TransformJobName="left-behind",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        **transforms.request(model, uri),
    )
    swept = stop_orphaned_jobs(
        lab.instance,
        bucket=transforms.aws.bucket,
        key_prefix=PREFIX,
        client=transforms.account.sagemaker,
        grace=NO_GRACE,
    )
    assert swept == ["left-behind"]
    assert transforms.jobs()["left-behind"] in {"Stopping", "Stopped"}


def test_the_name_is_not_the_callers() -> None:
    client = PipesSageMakerTransformClient(**OPTIONS, bucket="b", client=object())
    with pytest.raises(PipesJobParametersError, match="TransformJobName must not be given"):
        client.run(
            context=dg.build_asset_context(),
            create_transform_job_params={"TransformJobName": "mine"},
        )
