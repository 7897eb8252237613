"""Jobs that outlived their runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from abalone_assets.pipes import PipesJobError, stop_orphaned_jobs
from abalone_assets_tests.pipes.lab import PREFIX, REPORT, Lab, asset_of, create_run, lab

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)
__all__ = ["lab"]

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


def test_the_tag_is_the_one_that_the_clients_set(lab: Lab) -> None:
    lab.options["forward_termination"] = False
    asset = asset_of(
        lab.ask("processing", "import time; print('waiting'); time.sleep(100)", pipes=False)
    )

    def give_up(run: dg.DagsterRun) -> None:
        lab.aws.faults.refuse("DescribeProcessingJob", "ExpiredTokenException", "expired")

    lab.execute_during(asset, give_up)
    assert sweep(lab) == list(lab.jobs("processing"))


def test_a_refusal_is_told_with_its_operation(lab: Lab) -> None:
    lab.aws.faults.deny("ListTrainingJobs")
    with pytest.raises(
        PipesJobError, match=r"orphaned jobs: ListTrainingJobs failed: .*denied|not"
    ):
        sweep(lab)
