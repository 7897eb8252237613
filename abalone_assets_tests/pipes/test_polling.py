"""Following a job while AWS is busy, away or strange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto.sagemaker.models import sagemaker_backends

from abalone_assets.pipes._channel import JobMessageReader
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.pipes.lab import REPORT, WAIT, Lab, asset_of

if TYPE_CHECKING:
    import dagster as dg


@pytest.fixture
def lab_once(lab: Lab) -> Lab:
    """boto3 clients that do not try again by themselves."""
    lab.options["client"] = lab.aws.client("sagemaker")
    lab.options["s3_client"] = lab.aws.client("s3")
    return lab


@pytest.mark.parametrize("operation", ["DescribeTrainingJob", "CreateTrainingJob", "PutObject"])
def test_a_busy_aws_is_borne(lab_once: Lab, operation: str) -> None:
    lab_once.aws.faults.throttle(operation, times=2)
    lab_once.options["require_pipes"] = False
    result = lab_once.materialize(lab_once.ask("training", "pass", pipes=False))
    assert result.success
    told = [line for line in lab_once.log(result.run_id) if "trying again" in line]
    assert len(told) == 2
    assert len(lab_once.jobs("training")) == 1


def blinded(lab_once: Lab) -> tuple[dg.AssetsDefinition, dg.DagsterRun]:
    """An asset and a run of it that could not see its job any more."""
    lab_once.options["max_poll_failures"] = 1
    asset = asset_of(lab_once.ask("training", WAIT))
    throttle = lab_once.aws.faults.throttle
    run = lab_once.execute_during(asset, lambda _: throttle("DescribeTrainingJob", times=2))
    assert "gave up after 2 failures in a row" in lab_once.failure(run.run_id).description
    return asset, run


def test_a_job_that_cannot_be_followed_any_more_is_stopped(lab_once: Lab) -> None:
    _, run = blinded(lab_once)
    assert "the job was told to stop and is Stop" in lab_once.failure(run.run_id).description
    assert wait_for(lambda: "Stopped" in lab_once.jobs("training").values())
    assert not [key for key in lab_once.stored() if "context" in key]


def test_without_forwarding_such_a_job_goes_on_and_a_retry_finds_it(lab_once: Lab) -> None:
    lab_once.options["forward_termination"] = False
    asset, first = blinded(lab_once)
    assert "a retry of this step or run finds it" in lab_once.failure(first.run_id).description
    lab_once.go()
    assert lab_once.execute(asset, parent=first, retry_number="1").is_success
    assert len(lab_once.jobs("training")) == 1


def test_expired_credentials_are_told_at_once_with_the_job_that_goes_on(lab_once: Lab) -> None:
    asset = asset_of(lab_once.ask("training", WAIT))
    why = "The security token is expired"

    def expire(_: dg.DagsterRun) -> None:
        for operation in ("DescribeTrainingJob", "StopTrainingJob"):
            lab_once.aws.faults.refuse(operation, "ExpiredTokenException", why, times=9)

    run = lab_once.execute_during(asset, expire)
    description = lab_once.failure(run.run_id).description
    assert f"DescribeTrainingJob failed: {why} (ExpiredTokenException)" in description
    assert "the job may go on and cost money: https://us-east-1.console.aws" in description
    assert list(lab_once.jobs("training").values()) == ["InProgress"]


def test_a_bug_while_following_stops_the_job_too(
    lab_once: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the event log is away")

    monkeypatch.setattr(JobMessageReader, "read_new", fail)
    assert not lab_once.materialize(lab_once.ask("training", WAIT)).success
    assert wait_for(lambda: "Stopped" in lab_once.jobs("training").values())


def test_a_glue_job_that_runs_already_is_waited_for(lab: Lab) -> None:
    message = "Concurrent runs exceeded for etl"
    lab.aws.faults.refuse("StartJobRun", "ConcurrentRunsExceededException", message, times=2)
    result = lab.materialize(lab.ask("glue", REPORT))
    assert result.success
    assert len([line for line in lab.log(result.run_id) if message in line]) == 2


def test_an_unknown_status_is_told_and_waited_on(lab: Lab) -> None:
    asset = asset_of(lab.ask("training", WAIT))

    def change(run: dg.DagsterRun) -> None:
        [job] = sagemaker_backends[lab.aws.account][lab.aws.region].training_jobs.values()
        job.training_job_status = "Hibernating"
        lab.wait_for_line(run, "unknown status 'Hibernating'")
        job.training_job_status = "InProgress"
        lab.go()

    assert lab.execute_during(asset, change).is_success
