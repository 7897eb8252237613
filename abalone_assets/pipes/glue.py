"""Dagster Pipes for AWS Glue jobs."""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

import dagster as dg

from abalone_assets.pipes._client import PipesJobInvocation, _PipesJobClient
from abalone_assets.pipes._errors import PipesJobError, PipesJobParametersError
from abalone_assets.pipes._job import (
    CHANNEL_TAG,
    RUN_ID_TAG,
    RemoteJob,
    Usage,
    console_url,
)
from abalone_assets.pipes._logs import LogSource

DPU: Final = "DPU"
"""What Glue is paid by: the key of its price, in USD per DPU and hour."""

_IDENTITY_ARGUMENT: Final = "--dagster-pipes-job"
_ARGUMENTS_OF_TAGS: Final = {
    RUN_ID_TAG: "--dagster-pipes-run-id",
    CHANNEL_TAG: "--dagster-pipes-channel",
}
_LOG_GROUP_ARGUMENT: Final = "--custom-logGroup-prefix"
_DEFAULT_LOG_GROUP: Final = "/aws-glue/jobs"
_LEAST_BILLED_SECONDS: Final = 60


class PipesGlueJobClient(_PipesJobClient):
    """Runs Glue jobs with Dagster Pipes.

    The script opens Pipes with ``PipesCliArgsParamsLoader``, ``PipesS3ContextLoader`` and
    ``PipesS3MessageWriter``.
    """

    _service = "glue"
    _repeatable = False

    def run(  # type: ignore[override]  # clients narrow the base's **kwargs, as dagster-aws' do
        self,
        *,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        start_job_run_params: Mapping[str, Any],
        extras: Mapping[str, Any] | None = None,
        inputs: str = "",
        job_name_prefix: str | None = None,
        max_runtime_seconds: int = 3600,
    ) -> PipesJobInvocation:
        """Run a Glue job, or attach to the run that a retry finds.

        Glue has no names for runs: the identity travels as an argument of the script,
        ``--dagster-pipes-job``, and Glue is asked for a run that has it. Two workers that do so in
        the same second can both start one.

        Args:
            context: Of the step.
            start_job_run_params: Parameters of boto3's ``start_job_run``.
            extras: JSON for the script: ``pipes.extras``.
            inputs: Digest of the inputs, where neither parameters nor extras tell them apart.
            job_name_prefix: How the identity begins; by default the asset's key.
            max_runtime_seconds: Bounds the run where the parameters have no ``Timeout``; in whole
                minutes, as Glue counts.

        Raises:
            PipesJobError: The run did not succeed, or cannot be followed.
            PipesJobParametersError: The parameters cannot make a run.
        """
        job = GlueJobRun(self.client, start_job_run_params, max_runtime_seconds=max_runtime_seconds)
        return self._run_job(
            job, context, extras=extras, inputs=inputs, job_name_prefix=job_name_prefix
        )


class GlueJobRun(RemoteJob):
    """A run of a Glue job; its name is the identity in its arguments."""

    kind = "Glue job run"
    status_key = "JobRunState"
    succeeded = "SUCCEEDED"
    failed = frozenset({"FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"})
    active = frozenset({"WAITING", "STARTING", "RUNNING"})
    stopping = "STOPPING"

    _tried = False

    def _check_request(self) -> None:
        if not self.request.get("JobName"):
            raise PipesJobParametersError("start_job_run_params must have the JobName")

    def find(self, name: str) -> Mapping[str, Any] | None:
        """The run with that identity, one that may succeed before one that did not."""
        pages = self.client.get_paginator("get_job_runs").paginate(
            JobName=self._glue_job, PaginationConfig={"PageSize": 200}
        )
        runs = (run for page in pages for run in page["JobRuns"])
        found = [run for run in runs if run.get("Arguments", {}).get(_IDENTITY_ARGUMENT) == name]
        found.sort(key=lambda run: run["JobRunState"] in self.failed)
        return found[0] if found else None

    def create(self, bootstrap: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Start the run, unless an earlier try that seemed to fail has done so."""
        if self._tried and (found := self.find(self.name)) is not None:
            self.description = found
            return
        self._tried = True
        request = deepcopy(dict(self.request))
        request.setdefault("Timeout", math.ceil(self.max_runtime_seconds / 60))
        request["Arguments"] = {
            **(request.get("Arguments") or {}),
            # As `PipesSession.get_bootstrap_cli_arguments` spells them.
            **{f"--{name.lower().replace('_', '-')}": value for name, value in bootstrap.items()},
            _IDENTITY_ARGUMENT: self.name,
            **{name: tags[tag] for tag, name in _ARGUMENTS_OF_TAGS.items()},  # runs have no tags
        }
        self.description = {"Id": self.client.start_job_run(**request)["JobRunId"]}

    def refresh(self) -> None:
        """Ask for the run."""
        self.description = self.client.get_job_run(JobName=self._glue_job, RunId=self.run_id)[
            "JobRun"
        ]

    def stop(self) -> None:
        """Stop the run, unless it has ended meanwhile, or is stopping.

        Raises:
            PipesJobError: Glue does not.
        """
        answer = self.client.batch_stop_job_run(JobName=self._glue_job, JobRunIds=[self.run_id])
        if errors := answer.get("Errors"):
            self.refresh()
            if self.is_over or self.status == self.stopping:
                return
            detail = errors[0].get("ErrorDetail", {})
            raise PipesJobError(f"{detail.get('ErrorMessage')} ({detail.get('ErrorCode')})")

    @property
    def progress(self) -> Sequence[str]:
        """The status and its detail."""
        detail = self.description.get("StateDetail")
        return [f"{self.status}: {detail}" if detail else self.status]

    @property
    def reason(self) -> str:
        """``ErrorMessage``."""
        message = self.description.get("ErrorMessage") or self.description.get("StateDetail")
        return str(message or "Glue gives no reason; somebody may have stopped it")

    @property
    def usage(self) -> Usage:
        """Glue bills DPUs by the second, for a minute at least."""
        seconds = int(self.description.get("ExecutionTime") or 0)
        billable = max(seconds, _LEAST_BILLED_SECONDS) if seconds else 0
        dpus = float(self.description.get("MaxCapacity") or 0)
        if scaled := self.description.get("DPUSeconds"):  # told where the capacity varied
            dpus = scaled / billable if billable else 0.0
        return Usage(
            instance_type=str(self.description.get("WorkerType", "")),
            instance_count=int(self.description.get("NumberOfWorkers") or 0),
            seconds=seconds,
            billable_seconds=billable,
            capacity={DPU: dpus} if dpus else {},
        )

    @property
    def log_sources(self) -> Sequence[LogSource]:
        """What the script writes to standard output and error."""
        return [self._driver_stream("output")]

    @property
    def failure_log_sources(self) -> Sequence[LogSource]:
        """What Spark itself has to say."""
        return [self._driver_stream("error")]

    @property
    def run_id(self) -> str:
        """Glue's id of the run."""
        return str(self.description.get("Id", ""))

    @property
    def url(self) -> str:
        """The run's page."""
        page = f"/job/{self._glue_job}/run/{self.run_id}"
        return console_url(self.region, "gluestudio/home", page)

    @property
    def _glue_job(self) -> str:
        return str(self.request["JobName"])

    def _driver_stream(self, kind: str) -> LogSource:
        """Executors have streams of their own, ``<run id>_g-…``."""
        return LogSource(f"{self._log_group}/{kind}", self.run_id, kind, alone=True)

    @property
    def _log_group(self) -> str:
        """The groups' common beginning; a security configuration has groups of its own."""
        arguments = self.description.get("Arguments") or self.request.get("Arguments") or {}
        told = arguments.get(_LOG_GROUP_ARGUMENT) or self.description.get("LogGroupName")
        return str(told or _DEFAULT_LOG_GROUP).rstrip("/")


def tags_of(run: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a run would have, were there tags: from its arguments."""
    arguments = run.get("Arguments") or {}
    names = _ARGUMENTS_OF_TAGS.items()
    return {tag: arguments[name] for tag, name in names if name in arguments}
