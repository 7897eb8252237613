"""The base of the Pipes clients: any job of AWS, whichever service runs it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import dagster as dg
from dagster._core.definitions.resource_annotation import TreatAsResourceParam

from abalone_assets.pipes._channel import JobContextInjector, JobMessageReader, JobPrefix
from abalone_assets.pipes._errors import PipesJobError, PipesJobParametersError, Retry
from abalone_assets.pipes._follow import JobFollower
from abalone_assets.pipes._identity import MAX_ATTEMPTS, identify, op_context
from abalone_assets.pipes._job import CHANNEL_TAG
from abalone_assets.pipes._logs import CloudWatchTail

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from dagster import PipesSession

    from abalone_assets.pipes._channel import ContextKeeper, ResultReader
    from abalone_assets.pipes._job import JobSummary, RemoteJob


class PipesJobInvocation(dg.PipesClientCompletedInvocation):
    """The results of a job that succeeded.

    Attributes:
        job: The job itself, for code; its metadata is on every result already.
    """

    def __init__(self, session: PipesSession, job: JobSummary) -> None:
        super().__init__(session, metadata=job.metadata())
        self.job = job


class _PipesJobClient(dg.PipesClient, TreatAsResourceParam):
    """Runs jobs of an AWS service with Dagster Pipes.

    A retry of a step or of a run, also after its worker was killed, attaches to the job that it
    already has when that one runs or has succeeded.
    """

    _service: ClassVar[str]

    _repeatable: ClassVar[bool] = True
    """Whether boto3 may make the service's calls again by itself."""

    def __init__(
        self,
        *,
        bucket: str,
        key_prefix: str,
        client: Any = None,  # noqa: ANN401 - boto3 makes its clients at run time
        s3_client: Any = None,  # noqa: ANN401 - as client
        logs_client: Any = None,  # noqa: ANN401 - as client
        forward_termination: bool = True,
        poll_interval: float = 15.0,
        prices: Mapping[str, float] | None = None,
        require_pipes: bool = True,
        delete_messages: bool = False,
        log_grace: float = 15.0,
        max_poll_failures: int = 10,
    ) -> None:
        """Make a client.

        Args:
            bucket: The S3 bucket through which a job and Dagster exchange context and messages.
            key_prefix: Key prefix in it; each job has a prefix of its own below.
            client: The service's boto3 client; None makes one when it is needed. One of Glue
                should not repeat calls by itself: of a start whose answer got lost, the client
                looks for the run first.
            s3_client: The same for S3.
            logs_client: The same for CloudWatch Logs.
            forward_termination: Whether to stop the job when the run is terminated, and when the
                job cannot be followed any more.
            poll_interval: Seconds between two looks at a running job.
            prices: USD per hour by instance type, for the estimated cost; for Glue, of a ``DPU``.
            require_pipes: Whether a job that never opens Pipes fails.
            delete_messages: Whether to delete a job's messages after its success. A retry that
                comes after that runs the job again; a life-cycle rule on the prefix does without.
            log_grace: Seconds to wait for the last log lines of a job that is over.
            max_poll_failures: How often in a row AWS may be busy or away before the step fails.

        Raises:
            PipesJobParametersError: An argument makes no sense.
        """
        if not bucket or "/" in bucket:
            raise PipesJobParametersError(f"bucket must be a bucket's name alone, not {bucket!r}")
        if not key_prefix.strip("/"):
            raise PipesJobParametersError(
                "key_prefix must not be empty: jobs get prefixes below it"
            )
        if poll_interval <= 0:
            raise PipesJobParametersError(f"poll_interval must be above 0, not {poll_interval}")
        self.bucket = bucket
        self.key_prefix = key_prefix.strip("/")
        self.forward_termination = forward_termination
        self.poll_interval = poll_interval
        self._given = {self._service: client, "s3": s3_client, "logs": logs_client}
        self._prices = dict(prices or {})
        self._require_pipes = require_pipes
        self._delete_messages = delete_messages
        self.log_grace = log_grace
        self._max_poll_failures = max_poll_failures

    @classmethod
    def _is_dagster_maintained(cls) -> bool:
        return False

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """The service's boto3 client."""
        return self._client(self._service)

    @cached_property
    def s3_client(self) -> Any:  # noqa: ANN401 - as client
        """The boto3 client of S3."""
        return self._client("s3")

    @cached_property
    def logs_client(self) -> Any:  # noqa: ANN401 - as client
        """The boto3 client of CloudWatch Logs."""
        return self._client("logs")

    def _client(self, service: str) -> Any:  # noqa: ANN401 - as client
        if (given := self._given[service]) is not None:
            return given
        import boto3
        from botocore.config import Config

        repeatable = self._repeatable or service != self._service
        config = None if repeatable else Config(retries={"total_max_attempts": 1})
        return boto3.client(service, config=config)

    def _run_job(
        self,
        job: RemoteJob,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        *,
        extras: Mapping[str, Any] | None,
        inputs: str,
        job_name_prefix: str | None,
    ) -> PipesJobInvocation:
        """Run a job to its success.

        Raises:
            PipesJobError: It did not succeed, or cannot be followed.
            PipesJobParametersError: Its parameters cannot make a job.
        """
        retry = Retry(
            context.log, interval=self.poll_interval, max_failures=self._max_poll_failures
        )
        identity = identify(
            context,
            prefix=job_name_prefix,
            request=job.request,
            extras=extras or {},
            inputs=inputs,
        )
        retry(f"search for a {job.kind}", lambda: self._choose_attempt(job, identity))
        injector, reader = self._channel(job, context, retry)
        follower = JobFollower(
            job,
            log=context.log,
            retry=retry,
            reader=reader,
            tail=CloudWatchTail(self.logs_client, context.log, rest_at=lambda: job.log_url),
            poll_interval=self.poll_interval,
            log_grace=self.log_grace,
            forward_termination=self.forward_termination,
        )
        channel = {CHANNEL_TAG: f"{self.bucket}/{self.key_prefix}"}
        with self._session(context, injector, reader, dict(extras or {})) as session:
            tags = {**session.default_remote_invocation_info, **channel}
            follower.follow(session, injector, tags)
        complaint = retry(
            f"results of {job.kind} {job.name}", lambda: self._complaint(job, session)
        )
        summary = job.summary(self._prices)
        if complaint:
            raise follower.failure(complaint, summary.metadata())
        if self._delete_messages:
            retry("deletion of messages", self._prefix_of(job.name).delete_messages)
        return PipesJobInvocation(session, summary)

    def _channel(
        self,
        job: RemoteJob,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        retry: Retry,
    ) -> tuple[ContextKeeper, ResultReader]:
        """How the job is told what Dagster knows, and how what it says is read."""
        prefix = self._prefix_of(job.name)
        return (
            JobContextInjector(prefix, retry, write=not job.attached),
            JobMessageReader(prefix, context.log),
        )

    def _session(
        self,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        injector: ContextKeeper,
        reader: ResultReader,
        extras: dict[str, Any],
    ) -> AbstractContextManager[PipesSession]:
        """The session of Pipes in which the job runs."""
        return dg.open_pipes_session(
            context=op_context(context),
            context_injector=injector,
            message_reader=reader,
            extras=extras,
        )

    def _complaint(self, job: RemoteJob, session: PipesSession) -> str:
        """Why a job that is over has not done its work; empty when it has."""
        if job.status != job.succeeded:
            return f"ended as {job.status}: {job.reason}"
        if self._require_pipes and not session.message_handler.received_opened_message:
            return (
                "completed without ever opening Pipes, so what it did is unknown: call "
                "open_dagster_pipes in its script, or set require_pipes=False"
            )
        return ""

    def _choose_attempt(self, job: RemoteJob, identity: str) -> None:
        """Give the job the first name that is free, or that of a job to attach to."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            name = f"{identity}-{attempt}"
            found = job.find(name)
            job.take(name, attempt, found)
            if found is None or self._can_attach(job):
                return
        raise PipesJobError(
            f"{MAX_ATTEMPTS} attempts at {job.kind} {identity} have failed; mend their cause "
            "and run the asset anew"
        )

    def _can_attach(self, job: RemoteJob) -> bool:
        if job.status != job.succeeded:
            return job.status not in job.failed and job.status != job.stopping
        if self._require_pipes:
            return self._prefix_of(job.name).message_chunk(1) is not None
        return not self._delete_messages

    def _prefix_of(self, name: str) -> JobPrefix:
        return JobPrefix(self.s3_client, self.bucket, f"{self.key_prefix}/{name}")
