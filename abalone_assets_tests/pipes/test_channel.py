"""Messages through S3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from botocore.exceptions import ClientError

from abalone_assets.pipes._channel import JobMessageReader, JobPrefix
from abalone_assets_tests.pipes.lab import REPORT, Lab, asset_of, lab

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)
__all__ = ["lab"]


class Handler:
    """What Dagster's handler of messages is to the reader."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    def handle_message(self, message: dict[str, Any]) -> None:
        self.methods.append(message["method"])


def message(method: str) -> str:
    return json.dumps({"__dagster_pipes_version": "0.1", "method": method, "params": None})


def test_all_chunks_are_read_at_once_and_each_only_once(aws: AwsStandIn) -> None:
    prefix = JobPrefix(aws.client("s3"), aws.bucket, "pipes/job-1")
    for number in range(1, 31):  # after a long job's end, a reattached session finds many
        body = f"{message(str(number))}\nno message\n[1]\n"
        key = f"{prefix.messages_key}/{number}.json"
        aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=body.encode())
    reader, handler = JobMessageReader(prefix), Handler()
    with reader.read_messages(handler):  # type: ignore[arg-type]  # as much as it needs
        reader.read_new()
        reader.read_new()
    assert handler.methods == [str(number) for number in range(1, 31)]


def test_a_bucket_that_may_not_be_read_is_no_missing_message(aws: AwsStandIn) -> None:
    aws.faults.deny("GetObject")
    with pytest.raises(ClientError, match="not authorized"):
        JobPrefix(aws.client("s3"), aws.bucket, "pipes/job-1").has_messages()


def test_a_missing_bucket_is_told_before_anything_is_created(lab: Lab) -> None:
    lab.options["bucket"] = "no-such-bucket"
    run = lab.execute(asset_of(lab.ask("training", REPORT)))
    assert run.status is dg.DagsterRunStatus.FAILURE
    description = lab.failure(run.run_id).description
    assert description.startswith("Pipes context at s3://no-such-bucket/jobs/pipes/model-")
    assert "PutObject failed: The specified bucket does not exist" in description
    assert lab.jobs("training") == {}


def test_a_partitioned_asset_tells_its_job_the_partition(lab: Lab) -> None:
    report = "pipes.report_asset_materialization(metadata={'day': pipes.partition_key})"
    day = dg.StaticPartitionsDefinition(["monday"])
    asset = asset_of(lab.ask("processing", report), partitions_def=day)
    result = dg.materialize([asset], instance=lab.instance, partition_key="monday")
    [event] = result.asset_materializations_for_node("model")
    assert event.metadata["day"].value == "monday"
    assert event.partition == "monday"
