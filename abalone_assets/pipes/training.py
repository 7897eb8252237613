"""Dagster Pipes for SageMaker training jobs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg

from abalone_assets.pipes._errors import PipesJobParametersError
from abalone_assets.pipes._job import PipesJobInvocation, _PipesJobClient
from abalone_assets.pipes._remote import Usage
from abalone_assets.pipes._sagemaker import MAX_RUNTIME, SageMakerJob

_MAX_WAIT: Final = "MaxWaitTimeInSeconds"
_SPOT: Final = "EnableManagedSpotTraining"
_TIME_IS_UP: Final = {"MaxRuntimeExceeded": MAX_RUNTIME, "MaxWaitTimeExceeded": _MAX_WAIT}


class PipesSageMakerTrainingClient(_PipesJobClient):
    """Runs SageMaker training jobs with Dagster Pipes.

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
        create_training_job_params: Mapping[str, Any],
        extras: Mapping[str, Any] | None = None,
        inputs: str = "",
        job_name_prefix: str | None = None,
        max_runtime_seconds: int = 3600,
    ) -> PipesJobInvocation:
        """Run a training job, or attach to the one that a retry finds.

        Managed spot training needs a longest wait and a place for checkpoints: where the
        parameters lack them, the wait is twice the longest run time, and checkpoints go below the
        client's prefix, the same for all attempts.

        Args:
            context: Of the step.
            create_training_job_params: Parameters of boto3's ``create_training_job`` without
                ``TrainingJobName``.
            extras: JSON for the script: ``pipes.extras``.
            inputs: Digest of the inputs, where neither parameters nor extras tell them apart.
            job_name_prefix: How the job's name begins; by default the asset's key.
            max_runtime_seconds: Bounds the job where the parameters have no
                ``MaxRuntimeInSeconds``.

        Raises:
            PipesJobError: The job did not succeed, or cannot be followed.
            PipesJobParametersError: The parameters cannot make a job.
        """
        job = TrainingJob(
            self.client,
            create_training_job_params,
            max_runtime_seconds=max_runtime_seconds,
            checkpoints_below=f"s3://{self.bucket}/{self.key_prefix}",
        )
        return self._run_job(
            job, context, extras=extras, inputs=inputs, job_name_prefix=job_name_prefix
        )


class TrainingJob(SageMakerJob):
    """A training job.

    Args:
        client: boto3's ``sagemaker``.
        request: Parameters of ``create_training_job`` without the name.
        max_runtime_seconds: Bounds the job when the parameters do not.
        checkpoints_below: ``s3://`` prefix of the checkpoints of spot jobs that name no place.
    """

    kind = "SageMaker training job"
    api_name = "Training"
    environment_limit = 512
    console_page = "jobs"

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        request: Mapping[str, Any],
        *,
        max_runtime_seconds: int,
        checkpoints_below: str,
    ) -> None:
        super().__init__(client, request, max_runtime_seconds=max_runtime_seconds)
        self._checkpoints_below = checkpoints_below
        self._check_spot()

    @property
    def progress(self) -> Sequence[str]:
        """Every secondary status so far with its message."""
        transitions = self.description.get("SecondaryStatusTransitions") or []
        told = [_join(step["Status"], step.get("StatusMessage")) for step in transitions]
        return told or [_join(self.status, self.description.get("SecondaryStatus"))]

    @property
    def usage(self) -> Usage:
        """Billable seconds are SageMaker's own: after a spot job's discount."""
        resources = self.description.get("ResourceConfig") or {}
        groups = resources.get("InstanceGroups") or [resources]
        capacity: dict[str, float] = {}
        for group in groups:
            kind = group.get("SelectedInstanceType") or group.get("InstanceType", "")
            count = group.get("SelectedInstanceCount") or group.get("InstanceCount", 0)
            capacity[kind] = capacity.get(kind, 0) + count
        return Usage(
            instance_type=", ".join(capacity),
            instance_count=int(sum(capacity.values())),
            seconds=int(self.description.get("TrainingTimeInSeconds") or 0),
            billable_seconds=int(self.description.get("BillableTimeInSeconds") or 0),
            capacity=capacity,
        )

    def _check_spot(self) -> None:
        stopping = self.request.get("StoppingCondition") or {}
        longest = stopping.get(MAX_RUNTIME, self._max_runtime_seconds)
        if not self.request.get(_SPOT):
            if _MAX_WAIT in stopping:
                raise PipesJobParametersError(f"{_MAX_WAIT} is for {_SPOT}=True only")
        elif stopping.get(_MAX_WAIT, longest) < longest:
            raise PipesJobParametersError(
                f"{_MAX_WAIT} ({stopping[_MAX_WAIT]}) must be at least {MAX_RUNTIME} ({longest}): "
                "it counts the run and the wait for spot capacity"
            )

    def _bounded(self, request: dict[str, Any]) -> dict[str, Any]:
        stopping = {MAX_RUNTIME: self._max_runtime_seconds, **request.get("StoppingCondition", {})}
        if request.get(_SPOT):
            stopping.setdefault(_MAX_WAIT, 2 * stopping[MAX_RUNTIME])
            identity = self.name.rpartition("-")[0]
            place = f"{self._checkpoints_below}/{identity}/checkpoints"
            request.setdefault("CheckpointConfig", {"S3Uri": place})
        request["StoppingCondition"] = stopping
        return request

    def _unsaid_reason(self) -> str:
        limit = _TIME_IS_UP.get(self.description.get("SecondaryStatus", ""))
        if limit is None:
            return super()._unsaid_reason()
        return f"its {limit} of {self.description['StoppingCondition'].get(limit)} were over"


def _join(status: str, message: str | None) -> str:
    return f"{status}: {message}" if message else status
