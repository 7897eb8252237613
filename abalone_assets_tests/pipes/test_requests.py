"""What is sent to AWS, and what is refused before."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from dagster_pipes import encode_param

from abalone_assets.pipes import (
    PipesJobParametersError,
    PipesSageMakerTrainingClient,
    Usage,
)
from abalone_assets.pipes._channel import JobPrefix
from abalone_assets.pipes._job import console_url
from abalone_assets.pipes.glue import GlueJobRun
from abalone_assets.pipes.sagemaker import ProcessingJob, TrainingJob
from abalone_assets_tests.pipes.lab import PRICES, REPORT, Lab, client_of

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

SPOT = {"EnableManagedSpotTraining": True}
CHECKPOINTED = """
import os, pathlib, time
folder = pathlib.Path(os.environ["CHECKPOINTS"])
if not (folder / "half").exists():
    (folder / "half").touch()
    time.sleep(20)
"""


def training(request: dict[str, Any]) -> TrainingJob:
    below = "s3://bucket/pipes"
    job = TrainingJob(None, request, max_runtime_seconds=600, checkpoints_below=below)
    job.take("model-0123456789abcdef-2", 2)
    return job


def test_a_spot_job_gets_a_longest_wait_and_a_place_that_all_attempts_share() -> None:
    request = training(SPOT)._bounded(dict(SPOT))
    assert request["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 600,
        "MaxWaitTimeInSeconds": 1200,
    }
    place = "s3://bucket/pipes/model-0123456789abcdef/checkpoints"
    assert request["CheckpointConfig"] == {"S3Uri": place}


def test_what_the_caller_says_of_a_spot_job_is_kept() -> None:
    given = {
        **SPOT,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 61},
        "CheckpointConfig": {"S3Uri": "s3://mine", "LocalPath": "/tmp/mine"},
    }
    assert training(given)._bounded(dict(given)) == given


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({**SPOT, "StoppingCondition": {"MaxWaitTimeInSeconds": 599}}, "must be at least"),
        ({"StoppingCondition": {"MaxWaitTimeInSeconds": 9}}, "is for EnableManagedSpotTraining"),
        ({"TrainingJobName": "mine"}, "job_name_prefix sets how it begins"),
    ],
)
def test_what_cannot_be_a_training_job_is_refused(request_: dict[str, Any], words: str) -> None:
    with pytest.raises(PipesJobParametersError, match=words):
        training(request_)


def test_a_glue_run_needs_the_name_of_its_job() -> None:
    with pytest.raises(PipesJobParametersError, match="JobName"):
        GlueJobRun(None, {"Arguments": {}}, max_runtime_seconds=60)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bucket": "s3://bucket", "key_prefix": "jobs"}, "name alone"),
        ({"bucket": "bucket", "key_prefix": "/"}, "must not be empty"),
        ({"bucket": "bucket", "key_prefix": "jobs", "poll_interval": 0}, "above 0"),
    ],
)
def test_what_cannot_be_a_client_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(PipesJobParametersError, match=words):
        PipesSageMakerTrainingClient(**options)


def test_the_longest_names_fit_into_every_service() -> None:
    def noise(length: int) -> str:  # compresses as badly as names can
        return "".join(random.Random(length).choices(string.ascii_lowercase + "0123", k=length))

    prefix = JobPrefix(None, noise(63), f"{noise(60)}/{noise(63)}")
    context = encode_param({"bucket": prefix.bucket, "key": prefix.context_key})
    messages = encode_param({"bucket": prefix.bucket, "key_prefix": prefix.messages_key})
    assert max(len(context), len(messages)) <= ProcessingJob.environment_limit


def test_names_that_do_not_fit_are_told_before_anything_is_created(lab: Lab) -> None:
    letters = random.Random(0).choices(string.ascii_letters, k=200)
    lab.options["key_prefix"] = "".join(letters)
    result = lab.materialize(lab.ask("processing", REPORT))
    [error] = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    assert "allows 256: shorten the client's key_prefix" in str(error.event_specific_data)
    assert lab.jobs("processing") == {}
    assert lab.aws.s3.list_objects_v2(Bucket=lab.aws.bucket, Prefix=letters[0])["KeyCount"] == 0


def test_an_interrupted_spot_job_costs_what_sagemaker_bills(lab: Lab) -> None:
    lab.aws.faults.interrupt_spot_after = 2.0
    lab.options["require_pipes"] = False
    environment = {"CHECKPOINTS": "/opt/ml/checkpoints"}
    ask = lab.ask(
        "training", CHECKPOINTED, pipes=False, params={**SPOT, "Environment": environment}
    )
    result = lab.materialize(ask)

    assert result.success
    [event] = result.asset_materializations_for_node("model")
    billable, seconds = (
        event.metadata[f"aws/{name}"].value for name in ("billable_seconds", "job_seconds")
    )
    assert isinstance(billable, int)
    assert isinstance(seconds, int)
    assert billable < seconds
    saved = event.metadata["aws/spot_savings_percent"].value
    assert saved == round(100 * (1 - billable / seconds), 1)
    cost = event.metadata["aws/estimated_cost_usd"].value
    assert cost == round(billable * PRICES["ml.m5.large"] / 3600, 6)
    assert any("Interrupted" in line for line in lab.log(result.run_id))
    assert any("checkpoints/half" in key for key in lab.stored())


def test_a_client_is_made_without_region_and_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(variable, raising=False)
    PipesSageMakerTrainingClient(bucket="bucket", key_prefix="pipes")


def test_of_clients_made_here_only_glues_makes_each_call_once(aws: AwsStandIn) -> None:
    def attempts(client: Any) -> int:
        return int((client.meta.config.retries or {}).get("total_max_attempts", 5))  # its default

    assert attempts(client_of("glue", aws.bucket).client) == 1
    assert attempts(client_of("glue", aws.bucket).s3_client) > 1
    assert attempts(client_of("training", aws.bucket).client) > 1


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(billable_seconds=1800, capacity={"ml.m5.large": 2}), 0.115),
        (Usage(billable_seconds=3600, capacity={"ml.m5.large": 1, "ml.c5.large": 1}), None),
        (Usage(billable_seconds=3600), None),
    ],
)
def test_a_cost_is_told_when_every_price_is_known(usage: Usage, cost: float | None) -> None:
    assert usage.cost(PRICES) == cost


def test_glue_bills_a_minute_at_least_and_what_auto_scaling_used(aws: AwsStandIn) -> None:
    run = GlueJobRun(aws.client("glue"), {"JobName": "etl"}, max_runtime_seconds=60)
    run.take("etl", 1, {"ExecutionTime": 12, "MaxCapacity": 2.0, "WorkerType": "G.1X"})
    assert run.usage.cost(PRICES) == pytest.approx(2 * 0.44 / 60)
    run.take("etl", 1, {"ExecutionTime": 600, "MaxCapacity": 10.0, "DPUSeconds": 1200.0})
    assert run.usage.cost(PRICES) == pytest.approx(1200 / 3600 * 0.44)
    assert run.usage.seconds == 600


def test_the_instances_of_a_heterogeneous_cluster_are_counted_by_type() -> None:
    job = training({})
    group = {"InstanceType": "ml.c5.large", "InstanceCount": 2}
    groups = [group, {"InstanceType": "ml.m5.large", "InstanceCount": 1}, group]
    job.take("j", 1, {"ResourceConfig": {"InstanceGroups": groups}, "BillableTimeInSeconds": 3600})
    assert job.usage.instance_type == "ml.c5.large, ml.m5.large"
    assert job.usage.instance_count == 5
    assert job.usage.cost({"ml.c5.large": 1.0, "ml.m5.large": 0.5}) == 4.5


def test_a_processing_job_is_billed_from_its_start_to_its_end() -> None:
    job = ProcessingJob(None, {}, max_runtime_seconds=60)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    job.take(
        "j", 1, {"ProcessingStartTime": start, "ProcessingEndTime": start + timedelta(seconds=90)}
    )
    assert job.usage.billable_seconds == 90


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_links_lead_to_the_console_of_the_partition(region: str, host: str) -> None:
    url = console_url(region, "sagemaker/home", "/jobs/model-1")
    assert url == f"https://{host}/sagemaker/home?region={region}#/jobs/model-1"
