"""Dagster Pipes for SageMaker batch transform jobs, whose containers answer and run no script."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import dagster as dg

# As `dagster.open_pipes_session` does; its session warns that nobody has opened Pipes.
from dagster._core.pipes.context import build_external_execution_context_data

from abalone_assets.pipes._channel import ContextKeeper, ResultReader
from abalone_assets.pipes._client import PipesJobInvocation, _PipesJobClient
from abalone_assets.pipes._identity import op_context
from abalone_assets.pipes._job import JobOutput, Usage
from abalone_assets.pipes._logs import LogSource
from abalone_assets.pipes.sagemaker import SageMakerJob

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dagster import PipesMessageHandler, PipesSession
    from dagster_pipes import PipesContextData, PipesParams

    from abalone_assets.pipes._errors import Retry
    from abalone_assets.pipes._job import RemoteJob

OUTPUT_SUFFIX: Final = ".out"
"""What SageMaker appends to an input's name for its output."""

_NAMED_IN_ERRORS: Final = 5


class PipesSageMakerTransformClient(_PipesJobClient):
    """Runs SageMaker batch transform jobs as the other clients run theirs.

    A model's container answers requests and knows nothing of Pipes. So nothing is injected, and
    what counts is what the service says of the job, its logs, and the objects that it wrote: it
    succeeds when SageMaker says so and every input object has its output. Of the options,
    ``require_pipes`` and ``delete_messages`` have no meaning here; bucket and key prefix only mark
    the jobs for `stop_orphaned_jobs`.
    """

    _service = "sagemaker"

    def run(  # type: ignore[override]  # clients narrow the base's **kwargs, as dagster-aws' do
        self,
        *,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        create_transform_job_params: Mapping[str, Any],
        inputs: str = "",
        job_name_prefix: str | None = None,
        max_runtime_seconds: int = 3600,
    ) -> PipesJobInvocation:
        """Run a transform job, or attach to the one that a retry finds.

        Args:
            context: Of the step.
            create_transform_job_params: Parameters of boto3's ``create_transform_job`` without
                ``TransformJobName``.
            inputs: Digest of the inputs, where the parameters do not tell them apart.
            job_name_prefix: How the job's name begins; by default the asset's key.
            max_runtime_seconds: SageMaker knows no longest run time of such a job: it is stopped
                here, and by `stop_orphaned_jobs` where nobody follows it any more.

        Returns:
            The invocation; its ``job.outputs`` are the objects below the request's
            ``S3OutputPath``.

        Raises:
            PipesJobError: The job did not succeed, an input has no output, or the job cannot be
                followed.
            PipesJobParametersError: The parameters cannot make a job.
        """
        job = TransformJob(
            self.client, create_transform_job_params, max_runtime_seconds=max_runtime_seconds
        )
        return self._run_job(
            job, context, extras=None, inputs=inputs, job_name_prefix=job_name_prefix
        )

    def _channel(
        self,
        job: RemoteJob,  # noqa: ARG002 - as of the base
        context: dg.OpExecutionContext | dg.AssetExecutionContext,  # noqa: ARG002 - as of the base
        retry: Retry,  # noqa: ARG002 - as of the base
    ) -> tuple[ContextKeeper, ResultReader]:
        return _NoContext(), _NoMessages()

    @contextmanager
    def _session(
        self,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        injector: ContextKeeper,  # noqa: ARG002 - as of the base
        reader: ResultReader,
        extras: dict[str, Any],
    ) -> Iterator[PipesSession]:
        ours = op_context(context)
        if ours.has_assets_def:
            ours.set_requires_typed_event_stream(
                error_message="return or yield what `get_results` of the invocation gives"
            )
        handler = dg.PipesMessageHandler(ours, reader)
        yield dg.PipesSession(
            context_data=build_external_execution_context_data(ours, extras),
            message_handler=handler,
            context_injector_params={},
            message_reader_params={},
            context=ours,
        )

    def _complaint(self, job: RemoteJob, session: PipesSession) -> str:  # noqa: ARG002 - as of the base
        if job.status != job.succeeded:
            return f"ended as {job.status}: {job.reason}"
        missing = self._look_at_outputs(job)
        if not missing:
            return ""
        named = ", ".join(missing[:_NAMED_IN_ERRORS])
        more = f" and {len(missing) - _NAMED_IN_ERRORS} more" * (len(missing) > _NAMED_IN_ERRORS)
        return f"completed, but these inputs have no output: {named}{more}"

    def _can_attach(self, job: RemoteJob) -> bool:
        if job.status == job.succeeded:
            return not self._look_at_outputs(job)
        return super()._can_attach(job)

    def _look_at_outputs(self, job: RemoteJob) -> list[str]:
        """Note what a completed job wrote.

        Returns:
            URIs of inputs without an output. None can be missed of a manifest's, which is not read.

        Raises:
            ClientError: S3 refuses.
        """
        place = job.description["TransformOutput"]["S3OutputPath"].rstrip("/") + "/"
        job.outputs = tuple(
            found for found in self._objects(place) if found.uri.endswith(OUTPUT_SUFFIX)
        )
        written = [output.uri.removeprefix(place) for output in job.outputs]
        # Where below the place an output lies follows from how much of its key the request names.
        endings = {path[start:] for path in written for start in _starts_of_names(path)}
        source = job.description["TransformInput"]["DataSource"]["S3DataSource"]
        if source["S3DataType"] != "S3Prefix":
            return [] if written else [source["S3Uri"]]
        folder = source["S3Uri"].rpartition("/")[0] + "/"
        inputs = [found.uri for found in self._objects(source["S3Uri"]) if found.size]
        return [
            uri for uri in inputs if uri.removeprefix(folder) + OUTPUT_SUFFIX not in endings
        ] or ([] if inputs or written else [source["S3Uri"]])

    def _objects(self, uri: str) -> Iterator[JobOutput]:
        """The objects whose URIs begin so."""
        parts = urlsplit(uri)
        pages = self.s3_client.get_paginator("list_objects_v2").paginate(
            Bucket=parts.netloc, Prefix=parts.path.lstrip("/")
        )
        for page in pages:
            for found in page.get("Contents", []):
                yield JobOutput(f"s3://{parts.netloc}/{found['Key']}", found["Size"])


class TransformJob(SageMakerJob):
    """A batch transform job."""

    kind = "SageMaker transform job"
    api_name = "Transform"
    status_key = "TransformJobStatus"
    console_page = "transform-jobs"

    @property
    def is_overdue(self) -> bool:
        """Whether it has run for longer than it may."""
        return self._seconds >= self.max_runtime_seconds

    @property
    def usage(self) -> Usage:
        """A transform job is paid from its start to its end."""
        resources = self.description.get("TransformResources") or {}
        kind, count = resources.get("InstanceType", ""), int(resources.get("InstanceCount", 0))
        seconds = round(self._seconds) if self.description.get("TransformStartTime") else 0
        return Usage(kind, count, seconds, seconds, {kind: count})

    @property
    def log_sources(self) -> list[LogSource]:
        """Of each instance the container's stream, and one of what SageMaker says of the data."""
        return [
            LogSource("/aws/sagemaker/TransformJobs", f"{self.name}/", r"data-log$|i-\w+(?=-\d+$)")
        ]

    def _bootstrapped(
        self,
        request: dict[str, Any],
        bootstrap: Mapping[str, str],  # noqa: ARG002 - the container reads none
    ) -> dict[str, Any]:
        return request

    def _bounded(self, request: dict[str, Any]) -> dict[str, Any]:
        return request  # the API takes no bound

    def _unsaid_reason(self) -> str:
        if self.is_overdue:
            return f"its longest run time of {self.max_runtime_seconds} s was over"
        return super()._unsaid_reason()

    @property
    def _seconds(self) -> float:
        """How long it has run, or has been waiting to; 0 before it exists."""
        begun = self.description.get("TransformStartTime") or self.description.get("CreationTime")
        if begun is None:
            return 0.0
        end = self.description.get("TransformEndTime") or datetime.now(UTC)
        return float((end - begun).total_seconds())


class _NoContext(ContextKeeper):
    """Injects nothing."""

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:  # noqa: ARG002
        yield {}

    def no_messages_debug_text(self) -> str:
        return "A model's container reads no context."


class _NoMessages(ResultReader):
    """Reads nothing."""

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:  # noqa: ARG002
        yield {}

    def read_new(self) -> None:
        pass

    def no_messages_debug_text(self) -> str:
        return "A model's container writes no messages."


def _starts_of_names(path: str) -> Iterator[int]:
    """Where the path's folders and its name begin."""
    yield 0
    yield from (index + 1 for index, letter in enumerate(path) if letter == "/")
