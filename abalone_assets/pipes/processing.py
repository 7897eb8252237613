"""Dagster Pipes for SageMaker processing jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from abalone_assets.pipes._job import PipesJobInvocation, _PipesJobClient
from abalone_assets.pipes._remote import Usage
from abalone_assets.pipes._sagemaker import MAX_RUNTIME, SageMakerJob


class PipesSageMakerProcessingClient(_PipesJobClient):
    """Runs SageMaker processing jobs with Dagster Pipes.

    The script opens Pipes with ``PipesS3ContextLoader`` and ``PipesS3MessageWriter``; the rest it
    finds in its environment. The arguments are those of every client of this package.

    Args:
        bucket: The S3 bucket through which a job and Dagster exchange context and messages.
        key_prefix: Key prefix in it; each job has a prefix of its own below.
        client: boto3's ``sagemaker``; None makes one when it is needed.
        s3_client: boto3's ``s3``, likewise.
        logs_client: boto3's ``logs``, likewise.
        forward_termination: Whether to stop the job when the run is terminated, and when the job
            cannot be followed any more.
        poll_interval: Seconds between two looks at a running job.
        prices: USD per hour by instance type, for the estimated cost.
        require_pipes: Whether a job that never opens Pipes fails.
        delete_messages: Whether to delete a job's messages after its success.
        log_grace: Seconds to wait for the last log lines of a job that is over.
        max_poll_failures: How often in a row AWS may be busy or away before the step fails.
    """

    _service = "sagemaker"

    def run(  # type: ignore[override]  # clients narrow the base's **kwargs, as dagster-aws' do
        self,
        *,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        create_processing_job_params: Mapping[str, Any],
        extras: Mapping[str, Any] | None = None,
        inputs: str = "",
        job_name_prefix: str | None = None,
        max_runtime_seconds: int = 3600,
    ) -> PipesJobInvocation:
        """Run a processing job, or attach to the one that a retry finds.

        Args:
            context: Of the step.
            create_processing_job_params: Parameters of boto3's ``create_processing_job`` without
                ``ProcessingJobName``.
            extras: JSON for the script: ``pipes.extras``.
            inputs: Digest of the inputs, where neither parameters nor extras tell them apart.
            job_name_prefix: How the job's name begins; by default the asset's key.
            max_runtime_seconds: Bounds the job where the parameters have no
                ``MaxRuntimeInSeconds``.

        Raises:
            PipesJobError: The job did not succeed, or cannot be followed.
            PipesJobParametersError: The parameters cannot make a job.
        """
        job = ProcessingJob(
            self.client, create_processing_job_params, max_runtime_seconds=max_runtime_seconds
        )
        return self._run_job(
            job, context, extras=extras, inputs=inputs, job_name_prefix=job_name_prefix
        )


class ProcessingJob(SageMakerJob):
    """A processing job."""

    kind = "SageMaker processing job"
    api_name = "Processing"
    environment_limit = 256
    console_page = "processing-jobs"

    @property
    def progress(self) -> Sequence[str]:
        """The status; processing jobs have no secondary ones."""
        return [self.status]

    @property
    def usage(self) -> Usage:
        """A processing job is paid from its start to its end."""
        cluster = (self.description.get("ProcessingResources") or {}).get("ClusterConfig") or {}
        kind, count = cluster.get("InstanceType", ""), int(cluster.get("InstanceCount", 0))
        start, end = map(self.description.get, ("ProcessingStartTime", "ProcessingEndTime"))
        seconds = round((end - start).total_seconds()) if start and end else 0
        return Usage(kind, count, seconds, seconds, {kind: count})

    def _bounded(self, request: dict[str, Any]) -> dict[str, Any]:
        bound = {MAX_RUNTIME: self._max_runtime_seconds}
        request["StoppingCondition"] = {**bound, **request.get("StoppingCondition", {})}
        return request
