"""CloudWatch's lines in the run's log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from abalone_assets.pipes._logs import CloudWatchTail, LogSource
from abalone_assets_tests.fakes.glue_jobs import SPARK_LINE
from abalone_assets_tests.pipes.lab import REPORT, WAIT, Lab, asset_of

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

GROUP = "/aws/sagemaker/TrainingJobs"
SOURCE = LogSource(GROUP, "job-1/", r"algo-\d+")


@pytest.fixture
def tail(aws: AwsStandIn, caplog: pytest.LogCaptureFixture) -> CloudWatchTail:
    caplog.set_level(logging.INFO, "run")
    log = logging.getLogger("run")
    return CloudWatchTail(aws.client("logs"), log, rest_at=lambda: "https://the-console")


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
    aws: AwsStandIn, tail: CloudWatchTail, caplog: pytest.LogCaptureFixture
) -> None:
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


def test_a_busy_cloudwatch_loses_no_line(
    aws: AwsStandIn, tail: CloudWatchTail, caplog: pytest.LogCaptureFixture
) -> None:
    write(aws, "job-1/algo-1-1700", "one")
    aws.faults.throttle("GetLogEvents", times=2)
    tail.drain([SOURCE], grace=5.0)
    assert caplog.messages == ["[algo-1] one"]


def test_a_flood_of_lines_makes_few_entries(
    aws: AwsStandIn, tail: CloudWatchTail, caplog: pytest.LogCaptureFixture
) -> None:
    write(aws, "job-1/algo-1-1700", "\n".join(map(str, range(1000))))
    tail.read_new([SOURCE])
    assert len(caplog.messages) == 5
    assert list(tail.last_lines) == [f"[algo-1] {number}" for number in range(980, 1000)]


def test_a_torrent_of_lines_stays_in_cloudwatch_but_for_the_last(
    aws: AwsStandIn, tail: CloudWatchTail, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        write(aws, f"job-1/algo-{number}-1700", "\n".join(f"line {i}" for i in range(1000)))
        tail.read_new([SOURCE])
    assert sum(message.count("line ") for message in caplog.messages) == 2000
    [told] = [message for message in caplog.messages if "https://the-console" in message]
    assert "2000 lines" in told
    assert list(tail.last_lines)[-1] == "[algo-2] line 999"


def glue_run_of(lab: Lab, body: str, **arguments: str) -> tuple[str, str]:
    """The last lines in the error of a Glue run that fails, and the run's log."""
    asked = lab.arguments("glue", body)["start_job_run_params"]
    params = {"Arguments": {**asked["Arguments"], **arguments}}
    result = lab.materialize(lab.ask("glue", body, params=params))
    assert not result.success
    failure = lab.failure(result.run_id)
    return failure.metadata["aws/last_log_lines"].value, "\n".join(lab.log(result.run_id))


@pytest.mark.parametrize("arguments", [{}, {"--custom-logGroup-prefix": "/our/jobs"}])
def test_a_failed_glue_run_shows_the_scripts_lines_and_after_them_sparks(
    lab: Lab, arguments: dict[str, str]
) -> None:
    body = "print('the cause'); print('its trace', file=sys.stderr); sys.exit(1)"
    last_lines, log = glue_run_of(lab, body, **arguments)
    assert last_lines.splitlines() == ["[output] the cause", "[output] its trace"]
    assert f"[error] {SPARK_LINE}" in log
    assert "an executor's line" not in log


def test_a_glue_run_that_succeeds_does_not_show_sparks_lines(lab: Lab) -> None:
    result = lab.materialize(lab.ask("glue", REPORT))
    assert result.success
    assert SPARK_LINE not in "\n".join(lab.log(result.run_id))


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
