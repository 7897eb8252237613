"""Nobody presses a button: a real daemon takes landed files to the endpoint."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.local.instance import POOLS
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from abalone_assets_tests.support.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")


def test_a_landed_file_ends_in_a_new_version_behind_the_endpoint(stack: Stack) -> None:
    before = stack.live_version()
    stack.land("abalone.20240110080000", survey_rows(30, seed=1))
    stack.await_(lambda: stack.live_version() != before, "a new version answers")
    assert stack.lake.manifest().days["2024-01-10"].rows == 30


def test_the_pools_had_their_limits_before_the_first_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(stack.home / "dagster"))
    with dg.DagsterInstance.get() as instance:
        limits = instance.event_log_storage.get_pool_limits()
    found = {pool.name: (pool.limit, pool.from_default) for pool in limits}
    assert found == dict.fromkeys(POOLS, (1, False))  # the queue's own come from the default


def test_a_survey_that_lands_while_another_is_in_flight_is_not_lost(stack: Stack) -> None:
    stack.land("abalone.20240210080000", survey_rows(20, seed=2))
    stack.await_(lambda: stack.in_flight("ingest_surveys"), "the first survey is in flight")
    stack.land("abalone.20240210080001", survey_rows(20, seed=3))
    stack.land("abalone.20240211080000", survey_rows(20, seed=4))
    stack.await_(lambda: stack.lake.manifest().rows_of("2024-02-10") == 40, "both are ingested")
    stack.await_(lambda: stack.lake.manifest().rows_of("2024-02-11") == 20, "the third one too")
    stack.await_release()


def test_a_survey_whose_run_is_killed_is_ingested_all_the_same(stack: Stack) -> None:
    known = {run["runId"] for run in stack.runs()}
    stack.land("abalone.20240310080000", survey_rows(20, seed=5))
    stack.await_(lambda: _started(stack, known) is not None, "the run's process")
    killed = _started(stack, known)
    assert killed is not None
    run_id, pid = killed
    os.kill(pid, signal.SIGKILL)
    stack.await_(lambda: stack.lake.manifest().rows_of("2024-03-10") == 20, "its ingestion")
    stack.await_(lambda: stack.run(run_id)["status"] == "FAILURE", "the killed run's failure")
    stack.await_release()


def test_a_release_by_hand_goes_through_the_queue_and_a_rollback_takes_it_back(
    stack: Stack,
) -> None:
    """Of the same rows, by other hyperparameters that only the command's own shell knows."""
    before = stack.live_version()
    chosen = ["--hyperparameters", '{"num_boost_round": 80}']
    released = stack.abalone("release", *chosen, "--json")
    assert released["outcome"] == "deployed", released
    assert released["version"] == stack.live_version() != before
    run = stack.run(released["run_id"])
    assert (run["jobName"], run["status"]) == ("release", "SUCCESS")
    back = stack.abalone("rollback", "--yes", "--json")
    assert (back["from_version"], back["is_live"]) == (released["version"], True)
    assert stack.live_version() == back["to_version"] == before


def test_the_endpoint_answers_a_real_boto3_client(stack: Stack) -> None:
    import boto3

    runtime = boto3.client(
        "sagemaker-runtime",
        endpoint_url=stack.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    answer = runtime.invoke_endpoint(
        EndpointName="abalone",
        ContentType="text/csv",
        Body=b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15",
    )
    assert 4 < float(answer["Body"].read()) < 20


def test_a_backfill_asked_for_in_the_ui_is_one_run_and_one_release(stack: Stack) -> None:
    stack.await_release()
    releases = _count(stack, "release")
    days = [f"2024-03-{day:02d}" for day in range(1, 31)]
    for day in days[::3]:
        stack.land(f"abalone.{day.replace('-', '')}120000", survey_rows(5, seed=int(day[-2:])))
    backfill = stack.launch_backfill(days)
    stack.await_(lambda: stack.backfill_status(backfill) == "COMPLETED_SUCCESS", "the backfill")
    stack.await_release()
    tagged = [run for run in stack.runs() if stack.tag(run, "dagster/backfill") == backfill]
    assert len(tagged) == 1
    assert all(day in stack.lake.manifest().days for day in days)
    assert _count(stack, "release") == releases + 1


def test_a_version_that_a_person_approves_is_deployed(stack: Stack) -> None:
    stack.await_release()
    assert stack.live_version() != 1
    deployments = _count(stack, "deploy")
    registry = FolderRegistry(ObjectStore(stack.home / "registry"))
    registry.approve(1, because="the newer ones drift", by="ana")
    stack.await_(lambda: stack.live_version() == 1, "version 1 answers again")
    stack.await_(lambda: not stack.in_flight("deploy"), "the end of its deployment")
    assert _count(stack, "deploy") == deployments + 1
    assert not stack.lake.release_due()


def _started(stack: Stack, known: set[str]) -> tuple[str, int] | None:
    """The new ingestion run and its process, as soon as there is one."""
    for run in stack.runs():
        if run["jobName"] == "ingest_surveys" and run["runId"] not in known:
            pid = stack.worker_pid(run["runId"])
            return None if pid is None else (run["runId"], pid)
    return None


def _count(stack: Stack, job: str) -> int:
    return sum(run["jobName"] == job for run in stack.runs())
