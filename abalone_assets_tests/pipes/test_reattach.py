"""A retry finds the job that it already has; nobody pays twice."""

from __future__ import annotations

from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.pipes import PipesJobInvocation
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.pipes.lab import (
    KINDS,
    REPORT,
    WAIT,
    Lab,
    Run,
    asset_of,
    client_of,
    create_run,
    execute,
)

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn


def crashing(run: Run) -> Run:
    """The same, but the step fails the first time, when its job has succeeded."""
    calls: list[int] = []

    def run_and_crash(context: dg.AssetExecutionContext) -> PipesJobInvocation:
        invocation = run(context)
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("the worker is out of memory")
        return invocation

    return run_and_crash


def metadata_of(lab: Lab, run: dg.DagsterRun) -> dict[str, Any]:
    [event] = lab.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_retry_of_the_run_takes_what_the_completed_job_reported(lab: Lab, kind: str) -> None:
    asset = asset_of(crashing(lab.ask(kind, REPORT)))
    first = lab.execute(asset)
    assert first.status is dg.DagsterRunStatus.FAILURE
    retry = lab.execute(asset, parent=first, retry_number="1")

    assert retry.is_success
    assert len(lab.jobs(kind)) == 1
    metadata = metadata_of(lab, retry)
    assert metadata["rows"] == 3
    assert metadata["aws/attached"] is True
    assert any("attached to" in line for line in lab.log(retry.run_id))


def test_a_retry_of_the_step_attaches_too(lab: Lab) -> None:
    run = crashing(lab.ask("processing", REPORT))
    assert lab.materialize(run, retry_policy=dg.RetryPolicy(max_retries=1)).success
    assert len(lab.jobs("processing")) == 1


@pytest.mark.parametrize("kind", ["training", "glue"])
def test_a_retry_after_a_failed_job_runs_the_next_attempt(lab: Lab, kind: str) -> None:
    lab.aws.faults.fail_next_job("no capacity")
    run = lab.ask(kind, REPORT)
    assert lab.materialize(run, retry_policy=dg.RetryPolicy(max_retries=1)).success
    first, second = sorted(lab.jobs(kind))
    assert first.removesuffix("-1") == second.removesuffix("-2")


def test_the_loser_of_a_race_attaches(lab: Lab) -> None:
    asset = asset_of(crashing(lab.ask("training", REPORT)))
    first = lab.execute(asset)
    lab.aws.faults.refuse("DescribeTrainingJob", "ResourceNotFound", "not yet to be seen")
    retry = lab.execute(asset, parent=first, retry_number="1")
    assert metadata_of(lab, retry)["aws/attached"] is True
    assert len(lab.jobs("training")) == 1


def test_a_completed_job_whose_messages_are_gone_is_run_again(lab: Lab) -> None:
    asset = asset_of(crashing(lab.ask("processing", REPORT)))
    lab.options["delete_messages"] = True
    first = lab.execute(asset)
    retry = lab.execute(asset, parent=first, retry_number="1")
    assert metadata_of(lab, retry)["rows"] == 3
    assert len(lab.jobs("processing")) == 2


def work(run_id: str, kind: str, bucket: str, arguments: dict[str, Any]) -> None:
    """Be a run worker of its own process, to be killed."""
    client = client_of(kind, bucket)
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        execute(instance, asset_of(lambda context: client.run(context=context, **arguments)), run)


def test_a_worker_killed_in_the_middle_and_its_retry_run_one_job(
    aws: AwsStandIn, home: Path
) -> None:
    kind = "training"
    with dg.DagsterInstance.get() as instance:
        lab = Lab(aws, instance)
        asset = asset_of(lab.ask(kind, WAIT))
        first = create_run(instance, asset)
        given = first.run_id, kind, aws.bucket, lab.arguments(kind, WAIT)
        worker = get_context("spawn").Process(target=work, args=given)
        worker.start()
        try:
            wait_for(lambda: [line for line in lab.log(first.run_id) if "] waiting" in line], 60)
        finally:
            worker.kill()
            worker.join()
        instance.report_run_failed(lab.run(first.run_id))
        lab.go()
        retry = lab.execute(asset, parent=first, retry_number="1")

        assert retry.is_success
        assert metadata_of(lab, retry)["rows"] == 3
        assert list(lab.jobs(kind).values()) == ["Completed"]
        assert not [key for key in lab.stored() if "context" in key]
