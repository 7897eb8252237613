"""What ends the jobs that outlived their runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import dagster as dg
from pydantic import Field

JOB_NAME_PREFIXES: Final = ("trained-model-", "evaluation-", "scoring-")
"""How the names of this platform's SageMaker jobs begin: with what they make."""


class JobSweep(dg.ConfigurableResource[None], ABC):
    """Ends the jobs of this platform that nobody waits for any more."""

    @abstractmethod
    def sweep(self, instance: dg.DagsterInstance, *, dry_run: bool = False) -> list[str]:
        """Stop them, or only say which.

        Args:
            instance: Knows the runs.
            dry_run: Stop nothing.

        Returns:
            The names of the jobs.

        Raises:
            PipesJobError: AWS refuses. The other jobs are stopped all the same.
        """


class NoJobSweep(JobSweep):
    """For platforms whose work ends with the run's own process."""

    def sweep(
        self,
        instance: dg.DagsterInstance,  # noqa: ARG002 - there is nothing to ask it
        *,
        dry_run: bool = False,  # noqa: ARG002
    ) -> list[str]:
        """None."""
        return []


class AwsJobSweep(JobSweep):
    """Of SageMaker's jobs and Glue's runs, those that a killed worker left."""

    jobs_uri: str = Field(description="s3:// prefix of what jobs are given and give back.")
    glue_job: str = Field(description="Name of the Glue job.")

    def sweep(self, instance: dg.DagsterInstance, *, dry_run: bool = False) -> list[str]:
        """Those whose run ended a quarter of an hour ago, and is not tried again."""
        from abalone_assets.aws.clients import client
        from abalone_assets.aws.parameters import resolve
        from abalone_assets.pipes import stop_orphaned_jobs
        from abalone_assets.resources.jobs import channel_of
        from abalone_assets.storage.object_store import ObjectStore

        bucket, key_prefix = channel_of(ObjectStore(self.jobs_uri))
        return stop_orphaned_jobs(
            instance,
            bucket=bucket,
            key_prefix=key_prefix,
            glue_job=resolve(self.glue_job),
            job_name_prefixes=JOB_NAME_PREFIXES,
            client=client("sagemaker"),
            glue_client=client("glue"),
            dry_run=dry_run,
        )
