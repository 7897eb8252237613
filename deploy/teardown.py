"""What `make destroy` takes down besides the stacks, and what it finds left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import is_missing, translate_errors
from abalone_assets.serving.sagemaker.removal import delete_endpoint, leftovers
from deploy.config import DeployError
from deploy.ecs import Cluster
from deploy.log_groups import LogGroups
from deploy.protections import lift_protections
from deploy.sagemaker_jobs import KINDS, WARM, SageMakerJob, jobs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.cloudformation import Say, Stacks
    from deploy.config import DeployConfig

TIMEOUT_SECONDS: Final = 900.0
ACTIVE_GLUE: Final = {"WAITING", "STARTING", "RUNNING"}
ENDED_GLUE: Final = {"STOPPED", "SUCCEEDED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED"}


@dataclass(frozen=True)
class Teardown:
    """Stops and removes what runs make: they are in no stack.

    Attributes:
        config: The deployment.
        stacks: CloudFormation.
        make_client: Makes the boto3 client of a service.
        say: Told, in lines, what happens.
        poll_seconds: Wait between two looks at what is stopping.
    """

    config: DeployConfig
    stacks: Stacks
    make_client: Callable[[str], Any]
    say: Say
    poll_seconds: float = field(default=5.0)

    @property
    def platform(self) -> str:
        """Name of the stack that Dagster itself is in."""
        return f"{self.config.name}-platform"

    def stop_dagster(self) -> None:
        """Stop all services and tasks and wait for their end, so that nothing new is started.

        Raises:
            DeployError: A task does not end, or AWS refuses.
        """
        if not self.stacks.resources(self.platform, "AWS::ECS::Cluster"):
            return
        services = self.stacks.resources(self.platform, "AWS::ECS::Service")
        ecs = self.make_client("ecs")
        Cluster(self.config.name, ecs, self.say, self.poll_seconds).stop(services)

    def stop_jobs(self) -> None:
        """Stop running SageMaker and Glue jobs of this deployment, and wait until they ended.

        Training jobs that have ended let go of the instances that they keep for the next one.

        Raises:
            DeployError: AWS refuses, or a job does not end.
        """
        sagemaker, glue = self.make_client("sagemaker"), self.make_client("glue")
        with translate_errors(DeployError, "running jobs"):
            for job in self._sagemaker_jobs(sagemaker):
                job.stop()
                self._until(job.is_over, job.name)
                self.say(f"{job.kind.lower()} job {job.name}: stopped")
            for job in self._warm_pools(sagemaker):
                job.let_instances_go()
                self._until(job.keeps_nothing, _warm_pool(job))
                self.say(f"{_warm_pool(job)}: ended")
            for run in self._glue_runs(glue):
                glue.batch_stop_job_run(JobName=self._glue_job, JobRunIds=[run])
                self._until(partial(self._glue_run_is_over, glue, run), run)
                self.say(f"Glue job run {run}: stopped")

    def delete_endpoint(self) -> list[str]:
        """Delete endpoint, its scaling, configurations, models; returns what is left of them.

        Raises:
            EndpointError: The endpoint was not gone in time, or AWS refuses.
        """
        return delete_endpoint(
            self.config.name,
            self.make_client("sagemaker"),
            autoscaling=self.make_client("application-autoscaling"),
            poll_seconds=self.poll_seconds,
            on_progress=self.say,
        )

    def delete_model_packages(self) -> None:
        """Delete the registry's versions: a group that holds any cannot be deleted.

        Raises:
            DeployError: AWS refuses.
        """
        sagemaker = self.make_client("sagemaker")
        with translate_errors(DeployError, f"model package group {self.config.name}"):
            for arn in self._model_packages(sagemaker):
                sagemaker.delete_model_package(ModelPackageName=arn)
                self.say(f"model package {arn.rpartition('/')[2]}: deleted")

    def delete_logs(self) -> None:
        """Delete what jobs and endpoint have written to log groups that are in no stack.

        Raises:
            DeployError: AWS refuses.
        """
        LogGroups(self.config, self.make_client, self.say).delete()

    def lift_protections(self) -> None:
        """Let the database and the load balancer be deleted with their stack.

        Raises:
            DeployError: AWS refuses.
        """
        lift_protections(self.platform, self.stacks, self.make_client)

    def costly_leftovers(self) -> list[str]:
        """What still runs and is paid for by the hour.

        Raises:
            DeployError: AWS refuses to say.
        """
        sagemaker, glue = self.make_client("sagemaker"), self.make_client("glue")
        scaling = self.make_client("application-autoscaling")
        left = leftovers(self.config.name, sagemaker, scaling)
        with translate_errors(DeployError, "running jobs"):
            left += [
                f"{job.kind.lower()} job {job.name}" for job in self._sagemaker_jobs(sagemaker)
            ]
            left += [_warm_pool(job) for job in self._warm_pools(sagemaker)]
            left += [f"Glue job run {run}" for run in self._glue_runs(glue)]
        left += [
            f"stack {name} ({status})"
            for name in (self.platform, f"{self.config.name}-jobs")
            if (status := self.stacks.status(name)) is not None
        ]
        return left

    @property
    def _glue_job(self) -> str:
        return f"{self.config.name}-prepare"

    def _sagemaker_jobs(self, sagemaker: Any) -> Iterator[SageMakerJob]:  # noqa: ANN401 - boto3 client
        for kind in KINDS:
            yield from jobs_of(self.config.name, sagemaker, kind, StatusEquals="InProgress")

    def _warm_pools(self, sagemaker: Any) -> Iterator[SageMakerJob]:  # noqa: ANN401 - boto3 client
        """Training jobs whose instances wait for the next one."""
        yield from jobs_of(self.config.name, sagemaker, "Training", WarmPoolStatusEquals=WARM)

    def _glue_runs(self, glue: Any) -> list[str]:  # noqa: ANN401 - boto3 client
        from botocore.exceptions import ClientError

        try:
            pages = list(glue.get_paginator("get_job_runs").paginate(JobName=self._glue_job))
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                raise
            return []
        runs = [run for page in pages for run in page["JobRuns"]]
        return [run["Id"] for run in runs if run["JobRunState"] in ACTIVE_GLUE]

    def _glue_run_is_over(self, glue: Any, run: str) -> bool:  # noqa: ANN401 - boto3 client
        found = glue.get_job_run(JobName=self._glue_job, RunId=run)["JobRun"]
        return found["JobRunState"] in ENDED_GLUE

    def _model_packages(self, sagemaker: Any) -> list[str]:  # noqa: ANN401 - boto3 client
        from botocore.exceptions import ClientError

        try:
            pages = list(
                sagemaker.get_paginator("list_model_packages").paginate(
                    ModelPackageGroupName=self.config.name
                )
            )
        except ClientError as error:
            if not is_missing(error):
                raise
            return []
        return [
            package["ModelPackageArn"]
            for page in pages
            for package in page["ModelPackageSummaryList"]
        ]

    def _until(self, is_over: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not is_over():
            if time.monotonic() > deadline:
                raise DeployError(f"{what}: not stopped after {TIMEOUT_SECONDS:.0f} s")
            time.sleep(self.poll_seconds)


def _warm_pool(job: SageMakerJob) -> str:
    return f"warm pool of training job {job.name}"
