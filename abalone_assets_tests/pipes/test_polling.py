"""Following a job while AWS is busy, away or strange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto.sagemaker.models import sagemaker_backends

from abalone_assets_tests.pipes.lab import (
    WAIT,
    Lab,
    asset_of,
    lab,
)

if TYPE_CHECKING:
    import dagster as dg

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)
__all__ = ["lab"]


@pytest.fixture
def impatient(lab: Lab) -> Lab:
    """boto3 clients that do not try again by themselves."""
    lab.options["client"] = lab.aws.client("sagemaker")
    lab.options["s3_client"] = lab.aws.client("s3")
    return lab


@pytest.mark.parametrize("operation", ["DescribeTrainingJob", "CreateTrainingJob", "PutObject"])
def test_a_busy_aws_is_borne(impatient: Lab, operation: str) -> None:
    impatient.aws.faults.throttle(operation, times=2)
    impatient.options["require_pipes"] = False
    result = impatient.materialize(impatient.ask("training", "pass", pipes=False))
    assert result.success
    told = [line for line in impatient.log(result.run_id) if "trying again" in line]
    assert len(told) == 2
    assert len(impatient.jobs("training")) == 1


def test_a_job_that_cannot_be_seen_any_more_goes_on_and_a_retry_finds_it(impatient: Lab) -> None:
    impatient.options["max_poll_failures"] = 1
    asset = asset_of(impatient.ask("training", WAIT))
    throttle = impatient.aws.faults.throttle
    first = impatient.execute_during(asset, lambda _: throttle("DescribeTrainingJob", times=2))
    description = impatient.failure(first.run_id).description
    assert "gave up after 2 failures in a row" in description
    assert "a retry of the run finds it" in description
    impatient.go()
    assert impatient.execute(asset, parent=first, retry_number="1").is_success
    assert len(impatient.jobs("training")) == 1


def test_expired_credentials_are_told_at_once(impatient: Lab) -> None:
    asset = asset_of(impatient.ask("training", WAIT))
    expired = ("DescribeTrainingJob", "ExpiredTokenException", "The security token is expired")
    run = impatient.execute_during(asset, lambda _: impatient.aws.faults.refuse(*expired))
    description = impatient.failure(run.run_id).description
    words = "DescribeTrainingJob failed: The security token is expired (ExpiredTokenException)"
    assert words in description
    assert list(impatient.jobs("training").values()) == ["InProgress"]


def test_an_unknown_status_is_told_and_waited_on(lab: Lab) -> None:
    asset = asset_of(lab.ask("training", WAIT))

    def change(run: dg.DagsterRun) -> None:
        [job] = sagemaker_backends[lab.aws.account][lab.aws.region].training_jobs.values()
        job.training_job_status = "Hibernating"
        lab.wait_for_line(run, "unknown status 'Hibernating'")
        job.training_job_status = "InProgress"
        lab.go()

    assert lab.execute_during(asset, change).is_success
