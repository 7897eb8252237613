"""Messages through S3."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import pytest
from botocore.exceptions import ClientError
from moto.s3.models import s3_backends

from abalone_assets.pipes._channel import JobMessageReader, JobPrefix
from abalone_assets_tests.pipes.lab import REPORT, Lab, asset_of, create_run

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

FIRST_START: Final = """
import os, pathlib
again = pathlib.Path("again")
if not again.exists():
    again.touch()
    pipes.log.info("told by the first")
    pipes.report_asset_materialization(data_version="of the first")
    wait_for_go()
    os._exit(1)
"""


class Handler:
    """What Dagster's handler of messages is to the reader."""

    def __init__(self) -> None:
        self.handled: list[str] = []

    def handle_message(self, message: dict[str, Any]) -> None:
        self.handled.append(message["params"])


def message(text: str, method: str = "log") -> str:
    return json.dumps({"__dagster_pipes_version": "0.1", "method": method, "params": text})


def reader_of(aws: AwsStandIn) -> JobMessageReader:
    prefix = JobPrefix(aws.client("s3"), aws.bucket, "pipes/job-1")
    return JobMessageReader(prefix, logging.getLogger("run"))


def write(aws: AwsStandIn, number: int, body: str, minute: int = 0) -> None:
    """Write a chunk of messages, as if at that minute."""
    key = f"pipes/job-1/messages/{number}.json"
    aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=body.encode())
    stored = s3_backends[aws.account]["aws"].buckets[aws.bucket].keys[key]
    stored.last_modified = datetime(2026, 1, 1, 0, minute)  # noqa: DTZ001 - as moto keeps it


def test_all_chunks_are_read_at_once_and_each_only_once(aws: AwsStandIn) -> None:
    for number in range(1, 31):  # after a long job's end, a reattached session finds many
        write(aws, number, f"{message(str(number))}\nno message\n[1]\n")
    reader, handler = reader_of(aws), Handler()
    with reader.read_messages(handler):  # type: ignore[arg-type]  # as much as it needs
        reader.read_new()
        reader.read_new()
    assert handler.handled == [str(number) for number in range(1, 31)]


def test_what_a_restarted_job_overwrites_is_read_again(aws: AwsStandIn) -> None:
    result = "report_asset_materialization"
    reader, handler = reader_of(aws), Handler()
    with reader.read_messages(handler):  # type: ignore[arg-type]  # as much as it needs
        for number in (1, 2, 3):
            lines = message(f"first {number}"), message(f"first result {number}", result)
            write(aws, number, "\n".join(lines))
        reader.read_new()
        write(aws, 1, f"{message('second')}\n{message('second result', result)}", minute=5)
        reader.read_new()
        reader.read_new()
    assert handler.handled == ["first 1", "first 2", "first 3", "second", "second result"]


def test_who_comes_after_a_restart_takes_nothing_of_the_former_start(aws: AwsStandIn) -> None:
    write(aws, 2, message("left over", "closed"))
    write(aws, 1, message("second"), minute=5)
    reader, handler = reader_of(aws), Handler()
    with reader.read_messages(handler):  # type: ignore[arg-type]  # as much as it needs
        reader.read_new()
    assert handler.handled == ["second"]


def test_an_interrupted_spot_job_reports_what_its_last_start_reports(lab: Lab) -> None:
    lab.aws.faults.interrupt_spot_after = 100.0  # the first start ends by itself before that
    report = "pipes.report_asset_materialization(data_version='of the second')"
    asset = asset_of(
        lab.ask("training", FIRST_START + report, params={"EnableManagedSpotTraining": True})
    )
    run = create_run(lab.instance, asset)
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(lab.execute, asset, run=run)
        try:
            lab.wait_for_line(run, "told by the first")
        finally:
            lab.go()
        assert ended.result(timeout=60).is_success
    made = dg.DagsterEventType.ASSET_MATERIALIZATION
    [event] = lab.instance.all_logs(run.run_id, of_type=made)
    assert event.asset_materialization is not None
    assert event.asset_materialization.tags is not None
    assert event.asset_materialization.tags["dagster/data_version"] == "of the second"
    assert any("the job began anew" in line for line in lab.log(run.run_id))


def test_a_bucket_that_may_not_be_read_is_no_missing_message(aws: AwsStandIn) -> None:
    aws.faults.deny("GetObject")
    with pytest.raises(ClientError, match="not authorized"):
        JobPrefix(aws.client("s3"), aws.bucket, "pipes/job-1").message_chunk(1)


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
