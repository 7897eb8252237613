"""CloudWatch's lines in the run's log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from abalone_assets.pipes._logs import CloudWatchTail, LogSource
from abalone_assets_tests.pipes.lab import WAIT, Lab, asset_of, lab

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)
__all__ = ["lab"]

GROUP = "/aws/sagemaker/TrainingJobs"
SOURCE = LogSource(GROUP, "job-1/", r"algo-\d+")


@pytest.mark.parametrize("kind", ["processing", "glue"])
def test_lines_are_in_the_runs_log_while_the_job_runs(lab: Lab, kind: str) -> None:
    asset = asset_of(lab.ask(kind, WAIT))
    # The job waits for the test, and the test for the line.
    assert lab.execute_during(asset, lambda _: lab.go()).is_success


def test_a_failed_job_shows_the_lines_of_a_stream_that_appears_after_its_end(lab: Lab) -> None:
    lab.aws.faults.log_seconds = 2.0
    lab.options["log_grace"] = 6.0
    result = lab.materialize(
        lab.ask("training", "print('the cause'); raise SystemExit(1)", pipes=False)
    )
    assert "[algo-1] the cause" in lab.failure(result.run_id).description


def test_logs_that_may_not_be_read_are_said_once_and_fail_nothing(lab: Lab) -> None:
    lab.aws.faults.deny("DescribeLogStreams")
    lab.options["require_pipes"] = False
    result = lab.materialize(lab.ask("processing", "print('x')", pipes=False))
    assert result.success
    told = [line for line in lab.log(result.run_id) if "logs cannot be read" in line]
    assert len(told) == 1
    assert "DescribeLogStreams" in told[0]


def test_every_stream_is_followed_from_where_it_was(
    aws: AwsStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    tail = CloudWatchTail(aws.client("logs"), logging.getLogger("run"))
    caplog.set_level(logging.INFO, "run")
    assert not tail.read_new([SOURCE])  # not even the log group is there

    write(aws, "job-1/algo-1-1700", "one\ntwo")
    write(aws, "job-10/algo-1-1700", "somebody else's")
    assert tail.read_new([SOURCE])
    write(aws, "job-1/algo-2-1700", "uno")
    write(aws, "job-1/algo-1-1700", "three")
    assert tail.read_new([SOURCE])
    assert not tail.read_new([SOURCE])

    lines = "\n".join(caplog.messages).splitlines()
    assert lines == ["[algo-1] one", "[algo-1] two", "[algo-1] three", "[algo-2] uno"]
    assert list(tail.last_lines) == lines


def test_a_busy_cloudwatch_loses_no_line(aws: AwsStandIn, caplog: pytest.LogCaptureFixture) -> None:
    tail = CloudWatchTail(aws.client("logs"), logging.getLogger("run"))
    caplog.set_level(logging.INFO, "run")
    write(aws, "job-1/algo-1-1700", "one")
    aws.faults.throttle("GetLogEvents", times=2)
    tail.drain([SOURCE], grace=5.0)
    assert caplog.messages == ["[algo-1] one"]


def test_a_flood_of_lines_makes_few_entries(
    aws: AwsStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    tail = CloudWatchTail(aws.client("logs"), logging.getLogger("run"))
    caplog.set_level(logging.INFO, "run")
    write(aws, "job-1/algo-1-1700", "\n".join(map(str, range(1000))))
    tail.read_new([SOURCE])
    assert len(caplog.messages) == 5
    assert list(tail.last_lines) == [f"[algo-1] {number}" for number in range(980, 1000)]


def write(aws: AwsStandIn, stream: str, message: str) -> None:
    """Append one event to a stream."""
    logs = aws.client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
        logs.create_log_group(logGroupName=GROUP)
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream)
    if not found["logStreams"]:
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    event = {"timestamp": int(time.time() * 1000), "message": message}
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=[event])
