"""Jobs that outlived their runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from botocore.exceptions import ClientError

from abalone_assets.pipes import PipesJobError, _orphans, stop_orphaned_jobs
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.pipes.lab import PREFIX, REPORT, Lab, asset_of, create_run

NO_GRACE = timedelta(0)


def job_of_run(lab: Lab, name: str, run_id: str, channel: str = "") -> str:
    """A training job that waits for long, tagged as the clients do."""
    tags = {
        "dagster/run-id": run_id,
        "dagster/pipes-channel": channel or f"{lab.aws.bucket}/{PREFIX}",
    }
    given = lab.arguments("training", "import time; time.sleep(100)", pipes=False)
    lab.aws.client("sagemaker").create_training_job(
        TrainingJobName=name,
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        **given["create_training_job_params"],
    )
    return name


def sweep(lab: Lab, **options: Any) -> list[str]:
    return stop_orphaned_jobs(
        lab.instance,
        bucket=lab.aws.bucket,
        key_prefix=PREFIX,
        **{"client": lab.aws.client("sagemaker"), "grace": NO_GRACE, **options},
    )


def run_of(lab: Lab, parent: dg.DagsterRun | None = None, **tags: str) -> dg.DagsterRun:
    return create_run(lab.instance, asset_of(lab.ask("training", REPORT)), parent, **tags)


def over(lab: Lab) -> dg.DagsterRun:
    """A run whose worker was killed."""
    run = run_of(lab)
    lab.instance.report_run_failed(run)
    return run


def test_only_jobs_that_nobody_waits_for_are_stopped(lab: Lab) -> None:
    lab.aws.faults.job_seconds = 100.0
    retried = over(lab)
    run_of(lab, retried, retry_number="1")
    begun_anew = over(lab)
    run_of(lab, begun_anew)
    job_of_run(lab, "at-work", run_of(lab).run_id)
    job_of_run(lab, "retried", retried.run_id)
    job_of_run(lab, "anothers", over(lab).run_id, channel="their-bucket/jobs")
    orphans = [
        job_of_run(lab, "left-behind", over(lab).run_id),
        job_of_run(lab, "begun-anew", begun_anew.run_id),
        job_of_run(lab, "unknown", "run-of-an-instance-that-was-deleted"),
    ]

    assert sorted(sweep(lab, dry_run=True)) == sorted(orphans)
    assert set(lab.jobs("training").values()) == {"InProgress"}
    assert sorted(sweep(lab)) == sorted(orphans)
    stopped = [name for name, status in lab.jobs("training").items() if status != "InProgress"]
    assert sorted(stopped) == sorted(orphans)


def test_a_retry_gets_the_time_to_come(lab: Lab) -> None:
    lab.aws.faults.job_seconds = 100.0
    job_of_run(lab, "left-behind", over(lab).run_id)
    assert sweep(lab, grace=timedelta(minutes=5)) == []
    assert sweep(lab) == ["left-behind"]


@pytest.mark.parametrize("kind", ["processing", "glue"])
def test_the_tags_are_those_that_the_clients_set(lab: Lab, kind: str) -> None:
    lab.options["forward_termination"] = False
    lab.options["client"] = lab.aws.client("glue" if kind == "glue" else "sagemaker")
    asset = asset_of(lab.ask(kind, "import time; print('waiting'); time.sleep(100)", pipes=False))

    def give_up(run: dg.DagsterRun) -> None:
        describe = "GetJobRun" if kind == "glue" else "DescribeProcessingJob"
        lab.aws.faults.refuse(describe, "ExpiredTokenException", "expired")

    run = lab.execute_during(asset, give_up)
    options = {"glue_job": "etl", "glue_client": lab.aws.client("glue")} if kind == "glue" else {}
    [orphan] = sweep(lab, **options)
    assert any(orphan in line for line in lab.log(run.run_id))
    assert wait_for(lambda: "STOPPED" in str(lab.jobs(kind)).upper())
    assert sweep(lab, **options) == []


class Beginner:
    """A SageMaker client during whose listing a run begins, with its job."""

    def __init__(self, lab: Lab) -> None:
        self._client = lab.aws.client("sagemaker")
        self._lab = lab

    def __getattr__(self, name: str) -> Any:
        if name == "get_paginator" and not self._lab.jobs("training"):
            job_of_run(self._lab, "just-begun", run_of(self._lab).run_id)
        return getattr(self._client, name)


def test_a_job_whose_run_begins_during_the_sweep_is_let_alone(lab: Lab) -> None:
    lab.aws.faults.job_seconds = 100.0
    assert sweep(lab, client=Beginner(lab)) == []


def test_a_run_that_begins_after_the_look_at_runs_is_wanted(lab: Lab) -> None:
    ended = over(lab)
    is_wanted = _orphans._judge(lab.instance, NO_GRACE)
    assert is_wanted(run_of(lab).run_id)
    assert not is_wanted(ended.run_id)


def test_a_job_that_cannot_be_stopped_does_not_save_the_others(lab: Lab) -> None:
    lab.aws.faults.job_seconds = 100.0
    names = {job_of_run(lab, name, over(lab).run_id) for name in ("one", "other")}
    lab.aws.faults.deny("StopTrainingJob", times=1)
    words = r"StopTrainingJob failed: .*; these are stopped: "
    with pytest.raises(PipesJobError, match=words) as told:
        sweep(lab)
    stopped = {name for name, status in lab.jobs("training").items() if status != "InProgress"}
    assert len(stopped) == 1
    [refused] = names - stopped
    assert f"orphaned jobs: {refused}: " in str(told.value)


class EndsMeanwhile:
    """A SageMaker client that is asked to stop a job which ends already."""

    def __init__(self, lab: Lab) -> None:
        self._client = lab.aws.client("sagemaker")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def stop_training_job(self, **which: str) -> None:
        self._client.stop_training_job(**which)
        refusal = {"Code": "ValidationException", "Message": "The job is in status Stopping."}
        raise ClientError({"Error": refusal}, "StopTrainingJob")


def test_a_job_that_ends_already_is_no_failure(lab: Lab) -> None:
    lab.aws.faults.job_seconds = 100.0
    name = job_of_run(lab, "ends", over(lab).run_id)
    assert sweep(lab, client=EndsMeanwhile(lab)) == [name]


class GlueEndsMeanwhile:
    """A Glue client that is asked to stop a run which ends already: its answer holds errors."""

    def __init__(self, lab: Lab) -> None:
        self._client = lab.aws.client("glue")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_stop_job_run(self, **which: Any) -> Any:
        self._client.batch_stop_job_run(**which)
        return self._client.batch_stop_job_run(**which)


def test_a_glue_run_that_ends_already_is_no_failure(lab: Lab) -> None:
    glue = lab.aws.client("glue")
    lab.aws.faults.job_seconds = 100.0
    arguments = {
        "--dagster-pipes-run-id": over(lab).run_id,
        "--dagster-pipes-channel": f"{lab.aws.bucket}/{PREFIX}",
    }
    body = "import time; time.sleep(100)"
    given = lab.arguments("glue", body, pipes=False, params={"Arguments": arguments})
    started = glue.start_job_run(**given["start_job_run_params"])
    assert sweep(lab, glue_job="etl", glue_client=GlueEndsMeanwhile(lab)) == [started["JobRunId"]]


def test_a_refusal_is_told_with_its_operation(lab: Lab) -> None:
    lab.aws.faults.deny("ListTrainingJobs")
    with pytest.raises(
        PipesJobError, match=r"orphaned jobs: ListTrainingJobs failed: .*denied|not"
    ):
        sweep(lab)
