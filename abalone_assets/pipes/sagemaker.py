"""Dagster Pipes for SageMaker training and processing jobs."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar, Final

import dagster as dg

from abalone_assets.pipes._client import PipesJobInvocation, _PipesJobClient
from abalone_assets.pipes._errors import ClientError, PipesJobParametersError, error_code
from abalone_assets.pipes._isolation import (
    carried_by_processing,
    carried_by_training,
    is_isolated,
)
from abalone_assets.pipes._job import JobExistsError, RemoteJob, Usage, console_url
from abalone_assets.pipes._logs import LogSource

_TAG_KEY_LENGTH: Final = 128
_TAG_VALUE_LENGTH: Final = 256
_NOT_IN_TAGS: Final = re.compile(r"[^\w\s.:/=+\-@]")

_MAX_RUNTIME: Final = "MaxRuntimeInSeconds"
_MAX_WAIT: Final = "MaxWaitTimeInSeconds"
_SPOT: Final = "EnableManagedSpotTraining"
_TIME_IS_UP: Final = {"MaxRuntimeExceeded": _MAX_RUNTIME, "MaxWaitTimeExceeded": _MAX_WAIT}


class PipesSageMakerTrainingClient(_PipesJobClient):
    """Runs SageMaker training jobs with Dagster Pipes.

    The script opens Pipes with ``PipesS3ContextLoader`` and ``PipesS3MessageWriter``; the rest it
    finds in its environment.
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


class PipesSageMakerProcessingClient(_PipesJobClient):
    """Runs SageMaker processing jobs with Dagster Pipes.

    The script opens Pipes with ``PipesS3ContextLoader`` and ``PipesS3MessageWriter``; the rest it
    finds in its environment.
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

        Its parameters are those of boto3's ``create_processing_job`` without ``ProcessingJobName``;
        everything else is as of `PipesSageMakerTrainingClient.run`.
        """
        job = ProcessingJob(
            self.client, create_processing_job_params, max_runtime_seconds=max_runtime_seconds
        )
        return self._run_job(
            job, context, extras=extras, inputs=inputs, job_name_prefix=job_name_prefix
        )


class SageMakerJob(RemoteJob):
    """A job of SageMaker's; its request is that of the create call without the name."""

    api_name: ClassVar[str]
    """``Training``, ``Processing`` or ``Transform``: how the API's members of this kind begin."""

    environment_limit: ClassVar[int]
    """Characters that the API allows in an environment variable's value."""

    console_page: ClassVar[str]
    """The page of such jobs in the console."""

    succeeded = "Completed"
    failed = frozenset({"Failed", "Stopped", "Deleting"})
    active = frozenset({"InProgress"})
    stopping = "Stopping"

    def _check_request(self) -> None:
        if self._name_key in self.request:
            raise PipesJobParametersError(
                f"{self._name_key} must not be given: the name is made so that a retry finds the "
                "job again; job_name_prefix sets how it begins"
            )

    def find(self, name: str) -> Mapping[str, Any] | None:
        """The description of the job of that name; None when there is none."""
        try:
            return self._call("describe", **{self._name_key: name})
        except ClientError as error:
            if _is_not_found(error):
                return None
            raise

    def create(self, bootstrap: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Create the job.

        Raises:
            JobExistsError: A job of that name exists.
            PipesJobParametersError: The bootstrap exceeds the API's limit.
        """
        request = self._bounded(self._bootstrapped(deepcopy(dict(self.request)), bootstrap))
        request[self._name_key] = self.name
        request["Tags"] = [*(request.get("Tags") or []), *aws_tags(tags)]
        try:
            self._call("create", **request)
        except ClientError as error:
            if error_code(error) == "ResourceInUse":
                raise JobExistsError(self.name) from error
            raise

    def _carried(self, request: dict[str, Any], bootstrap: Mapping[str, str]) -> dict[str, str]:
        """Have SageMaker carry what the isolated job cannot; returns the job's variables."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Describe the job."""
        self.description = self._call("describe", **{self._name_key: self.name})

    def stop(self) -> None:
        """Stop the job, unless it has ended meanwhile, or is stopping."""
        try:
            self._call("stop", **{self._name_key: self.name})
        except ClientError:
            self.refresh()
            if not self.is_over and self.status != self.stopping:
                raise

    @property
    def reason(self) -> str:
        """``FailureReason`` and, of a processing job, ``ExitMessage``."""
        told = [self.description.get("FailureReason"), self.description.get("ExitMessage")]
        return "\n".join(filter(None, told)) or self._unsaid_reason()

    @property
    def log_sources(self) -> list[LogSource]:
        """One stream for each of the job's instances."""
        group = f"/aws/sagemaker/{self.api_name}Jobs"
        return [LogSource(group, f"{self.name}/", r"algo-\d+")]

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return str(self.description.get(f"{self.api_name}JobArn", ""))

    @property
    def url(self) -> str:
        """The job's page."""
        return console_url(self.region, "sagemaker/home", f"/{self.console_page}/{self.name}")

    def _bootstrapped(
        self, request: dict[str, Any], bootstrap: Mapping[str, str]
    ) -> dict[str, Any]:
        """The request with what tells the script where Pipes is."""
        for name, value in bootstrap.items():
            if len(value) > self.environment_limit:
                raise PipesJobParametersError(
                    f"{name} would take {len(value)} characters, and the environment of a "
                    f"{self.kind} allows {self.environment_limit}: shorten the client's key_prefix"
                )
        if is_isolated(request):
            bootstrap = self._carried(request, bootstrap)
        return {**request, "Environment": {**(request.get("Environment") or {}), **bootstrap}}

    def _bounded(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with a bound on the job's duration, and with what else it lacks."""
        bound = {_MAX_RUNTIME: self.max_runtime_seconds}
        request["StoppingCondition"] = {**bound, **request.get("StoppingCondition", {})}
        return request

    def _unsaid_reason(self) -> str:
        return "SageMaker gives no reason; somebody may have stopped it"

    @property
    def _name_key(self) -> str:
        return f"{self.api_name}JobName"

    def _call(self, verb: str, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as boto3
        answer: Mapping[str, Any] = getattr(self.client, f"{verb}_{self.api_name.lower()}_job")(
            **request
        )
        return answer


class TrainingJob(SageMakerJob):
    """A training job.

    Args:
        client: As of the base, like what follows but the last.
        checkpoints_below: ``s3://`` prefix of the checkpoints of spot jobs that name no place.
    """

    kind = "SageMaker training job"
    api_name = "Training"
    status_key = "TrainingJobStatus"
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

    def _check_request(self) -> None:
        super()._check_request()
        stopping = self.request.get("StoppingCondition") or {}
        longest = stopping.get(_MAX_RUNTIME, self.max_runtime_seconds)
        if not self.request.get(_SPOT):
            if _MAX_WAIT in stopping:
                raise PipesJobParametersError(f"{_MAX_WAIT} is for {_SPOT}=True only")
        elif stopping.get(_MAX_WAIT, longest) < longest:
            raise PipesJobParametersError(
                f"{_MAX_WAIT} ({stopping[_MAX_WAIT]}) must be at least {_MAX_RUNTIME} ({longest}): "
                "it counts the run and the wait for spot capacity"
            )

    def _bounded(self, request: dict[str, Any]) -> dict[str, Any]:
        request = super()._bounded(request)
        if request.get(_SPOT):
            stopping = request["StoppingCondition"]
            stopping.setdefault(_MAX_WAIT, 2 * stopping[_MAX_RUNTIME])
            identity = self.name.rpartition("-")[0]
            place = f"{self._checkpoints_below}/{identity}/checkpoints"
            if not is_isolated(request):
                request.setdefault("CheckpointConfig", {"S3Uri": place})
        return request

    def _carried(self, request: dict[str, Any], bootstrap: Mapping[str, str]) -> dict[str, str]:
        return carried_by_training(request, bootstrap)

    def _unsaid_reason(self) -> str:
        limit = _TIME_IS_UP.get(self.description.get("SecondaryStatus", ""))
        if limit is None:
            return super()._unsaid_reason()
        return f"its {limit} of {self.description['StoppingCondition'].get(limit)} were over"


class ProcessingJob(SageMakerJob):
    """A processing job."""

    kind = "SageMaker processing job"
    api_name = "Processing"
    status_key = "ProcessingJobStatus"
    environment_limit = 256
    console_page = "processing-jobs"

    def _carried(self, request: dict[str, Any], bootstrap: Mapping[str, str]) -> dict[str, str]:
        return carried_by_processing(request, bootstrap)

    @property
    def usage(self) -> Usage:
        """A processing job is paid from its start to its end."""
        cluster = (self.description.get("ProcessingResources") or {}).get("ClusterConfig") or {}
        kind, count = cluster.get("InstanceType", ""), int(cluster.get("InstanceCount", 0))
        start, end = map(self.description.get, ("ProcessingStartTime", "ProcessingEndTime"))
        seconds = round((end - start).total_seconds()) if start and end else 0
        return Usage(kind, count, seconds, seconds, {kind: count})


def aws_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Dagster's tags as AWS takes them: without ``|`` and the like, and not too long."""
    return [
        {"Key": _NOT_IN_TAGS.sub("-", key)[:_TAG_KEY_LENGTH], "Value": tag_value(value)}
        for key, value in tags.items()
    ]


def tag_value(text: str) -> str:
    """A tag's value as AWS takes it."""
    return _NOT_IN_TAGS.sub("-", text)[:_TAG_VALUE_LENGTH]


def _is_not_found(error: ClientError) -> bool:
    """SageMaker documents ``ResourceNotFound`` but answers ``ValidationException`` too."""
    message = error.response["Error"].get("Message", "").lower()
    return error_code(error) == "ResourceNotFound" or (
        error_code(error) == "ValidationException"
        and ("not found" in message or "could not find" in message)
    )


def _join(status: str, message: str | None) -> str:
    return f"{status}: {message}" if message else status
