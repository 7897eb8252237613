"""The schedule that ends jobs which outlived their runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.automation.runs import SWEEP_JOB
from abalone_assets.defs.automation import job_sweep_schedule, stop_orphaned_jobs_job
from abalone_assets.pipes import PipesJobError
from abalone_assets.resources.job_sweep import JOB_NAME_PREFIXES, AwsJobSweep, NoJobSweep
from abalone_assets_tests.deploy.iam import as_deployed, denied, policy_of
from abalone_assets_tests.fakes.places import ACCOUNT, OWN_KEY, REGION
from abalone_assets_tests.fakes.policies import Need
from abalone_assets_tests.stories.aws.stack import provision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.fakes.standin import AwsStandIn

KINDS = ("Training", "Processing")


@dataclass
class Account:
    """A deployed account with jobs that go on until they are stopped."""

    aws: AwsStandIn
    instance: dg.DagsterInstance
    channel: str = field(init=False)

    def __post_init__(self) -> None:
        self.channel = f"{self.aws.bucket}/jobs/pipes"
        self.aws.faults.job_seconds = 100.0

    @property
    def sweep(self) -> AwsJobSweep:
        jobs = f"s3://{self.aws.bucket}/jobs"
        return AwsJobSweep(jobs_uri=jobs, glue_job="ssm:/abalone/glue-job")

    def start(self, kind: str, name: str, run_id: str, channel: str = "") -> str:
        tags = {"dagster/run-id": run_id, "dagster/pipes-channel": channel or self.channel}
        given = {
            f"{kind}JobName": name,
            "RoleArn": self.aws.role_arn,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        create = getattr(self.client(), f"create_{kind.lower()}_job")
        create(**given, **(TRAINING if kind == "Training" else PROCESSING))
        return name

    def over(self) -> str:
        """Id of a run that nobody tries again, and that ended long ago."""
        return "of-an-instance-that-was-lost"

    def going(self) -> str:
        """Id of a run that goes on."""
        run = self.instance.create_run_for_job(stop_orphaned_jobs_job)
        return run.run_id

    def client(self) -> Any:
        return self.aws.client("sagemaker", access_key=OWN_KEY)

    def statuses(self) -> dict[str, str]:
        return {
            job[f"{kind}JobName"]: job[f"{kind}JobStatus"]
            for kind in KINDS
            for job in getattr(self.client(), f"list_{kind.lower()}_jobs")()[f"{kind}JobSummaries"]
        }

    def tick(self) -> dg.RunRequest | str:
        """What the schedule asks for, or why it asks for nothing."""
        resources = {"job_sweep": self.sweep}
        with dg.build_schedule_context(self.instance, resources=resources) as context:
            told = job_sweep_schedule.evaluate_tick(context)
        requests = told.run_requests or []
        return requests[0] if requests else str(told.skip_message)


CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
TRAINING: dict[str, Any] = {
    "AlgorithmSpecification": {"TrainingImage": "x", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://abalone-tests/out"},
    "ResourceConfig": CLUSTER,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
PROCESSING: dict[str, Any] = {
    "AppSpecification": {"ImageUri": "x"},
    "ProcessingResources": {"ClusterConfig": CLUSTER},
}


@pytest.fixture
def account(aws: AwsStandIn) -> Iterator[Account]:
    provision(aws)
    with dg.instance_for_test() as instance:
        yield Account(aws, instance)


def test_a_job_whose_run_is_gone_is_stopped_by_a_run_that_the_schedule_asks_for(
    account: Account,
) -> None:
    orphans = [
        account.start("Training", "trained-model-x-1", account.over()),
        account.start("Processing", "evaluation-x-1", account.over()),
    ]
    account.start("Training", "trained-model-y-1", account.going())
    account.start("Training", "trained-model-z-1", account.over(), channel="another/jobs/pipes")
    account.start("Training", "somebody-elses", account.over())

    asked = account.tick()
    assert isinstance(asked, dg.RunRequest)
    assert set(account.statuses().values()) == {"InProgress"}
    assert all(name in asked.tags["abalone/orphaned_jobs"] for name in orphans)

    resources = {"job_sweep": account.sweep}
    assert stop_orphaned_jobs_job.execute_in_process(
        instance=account.instance, resources=resources
    ).success
    stopped = {name for name, status in account.statuses().items() if status != "InProgress"}
    assert stopped == set(orphans)
    assert isinstance(account.tick(), str)


def test_the_run_role_may_look_and_stop_and_asks_nothing_of_others_jobs(account: Account) -> None:
    account.start("Training", "trained-model-x-1", account.over())
    account.start("Processing", "evaluation-x-1", account.over())
    account.start("Training", "somebody-elses", account.over())

    account.sweep.sweep(account.instance)

    own = as_deployed(call for call in account.aws.calls if call.caller == "test")
    assert {"ListTrainingJobs", "ListTags", "StopTrainingJob", "StopProcessingJob"} <= {
        call.operation for call in own
    }
    assert denied(policy_of("run"), own) == []


def test_the_names_are_those_that_the_role_may_ask_about() -> None:
    kinds = ("training-job", "processing-job", "transform-job")
    for kind, prefix in zip(kinds, JOB_NAME_PREFIXES, strict=True):
        job = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{prefix}"
        assert policy_of("run").allows(Need("sagemaker:ListTags", f"{job}x"))
        assert not policy_of("run").allows(Need("sagemaker:ListTags", job.rstrip("-")))


def test_a_tick_without_orphans_says_so_and_starts_nothing(account: Account) -> None:
    account.start("Training", "trained-model-y-1", account.going())
    assert account.tick() == "every job in progress has a run that waits for it"


def test_a_refusal_fails_the_tick_with_its_operation(account: Account) -> None:
    account.aws.faults.deny("ListTrainingJobs")
    with pytest.raises(PipesJobError, match="ListTrainingJobs"):
        account.sweep.sweep(account.instance, dry_run=True)


def test_the_local_profile_has_no_jobs_to_end() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert NoJobSweep().sweep(instance) == []
        assert stop_orphaned_jobs_job.name == SWEEP_JOB
