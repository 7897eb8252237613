"""Glue job runs that run: a script, its libraries, and the arguments that Glue adds."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from moto.glue.models import FakeJobRun
from moto.glue.responses import GlueResponse

from abalone_assets_tests.fakes.actions import Request, Service, action
from abalone_assets_tests.fakes.jobs import billed, environment_of, now
from abalone_assets_tests.fakes.processes import LogStream
from abalone_assets_tests.fakes.service_rules.storage import S3A_REGION
from abalone_assets_tests.fakes.spark import spark_environment

if TYPE_CHECKING:
    import pytest

    from abalone_assets_tests.fakes.processes import Ended
    from abalone_assets_tests.fakes.standin import AwsStandIn

S3A_REGION_SETTING: Final = "spark.hadoop.fs.s3a.endpoint.region"
LOG_GROUP: Final = "/aws-glue/jobs"
SPARK_LINE: Final = "INFO SparkContext: Running Spark version 3.5.6-amzn-1"
DPUS: Final = {"G.1X": 1.0, "G.2X": 2.0}
"""Data processing units of a worker type."""


class GlueJobs(Service):
    """Start, list and stop job runs."""

    response_class = GlueResponse

    def install(self, patches: pytest.MonkeyPatch) -> None:
        super().install(patches)
        plain = FakeJobRun.as_dict
        patches.setattr(FakeJobRun, "as_dict", lambda run: {**plain(run), **_facts(run)})

    @action
    def start_job_run(self, request: Request) -> Any:
        answer = request.moto()
        job = request.response.glue_backend.get_job(request.params["JobName"])
        run = job.job_runs[-1]
        run._transitions = []  # moto's own would let it succeed by and by
        run.status, run.completed_on, run.error_message, run.seconds = "STARTING", None, None, 0
        run.glue_version = job.glue_version
        self._aws.processes.enter(run.job_run_id)
        self._aws.processes.in_background(_Run(self._aws, job, run).to_its_end)
        return answer

    @action
    def get_job_runs(self, request: Request) -> dict[str, Any]:
        """Newest first, as Glue lists them; moto's order is the other."""
        job = request.response.glue_backend.get_job(request.params["JobName"])
        runs = [run.as_dict() for run in reversed(job.job_runs)]
        start = int(request.params.get("NextToken") or 0)
        end = start + int(request.params.get("MaxResults") or 200)
        more = {"NextToken": str(end)} if end < len(runs) else {}
        return {"JobRuns": runs[start:end], **more}

    @action
    def batch_stop_job_run(self, request: Request) -> dict[str, Any]:
        name = request.params["JobName"]
        job = request.response.glue_backend.get_job(name)
        by_id = {run.job_run_id: run for run in job.job_runs}
        stopped, errors = [], []
        for run_id in request.params["JobRunIds"]:
            run = by_id.get(run_id)
            if run is None or run.status not in {"STARTING", "RUNNING", "WAITING"}:
                code = "EntityNotFoundException" if run is None else "InvalidInputException"
                detail = {"ErrorCode": code, "ErrorMessage": "the run cannot be stopped"}
                errors.append({"JobName": name, "JobRunId": run_id, "ErrorDetail": detail})
                continue
            run.status = "STOPPING"
            self._aws.processes.stop(run_id)
            stopped.append({"JobName": name, "JobRunId": run_id})
        return {"SuccessfulSubmissions": stopped, "Errors": errors}


def _facts(run: Any) -> dict[str, Any]:
    facts = {"LogGroupName": LOG_GROUP, "GlueVersion": run.glue_version}
    facts |= {"ErrorMessage": run.error_message} if run.error_message else {}
    return {**facts, "ExecutionTime": run.seconds}


class _Run:
    """One job run, from its script to its end."""

    def __init__(self, aws: AwsStandIn, job: Any, run: Any) -> None:
        self.aws = aws
        self.job = job
        self.run = run
        self.run_id: str = run.job_run_id
        self.folder = aws.folder / "glue" / self.run_id[:24]
        self.folder.mkdir(parents=True)
        self.arguments: dict[str, str] = dict(run.arguments or {})
        run.worker_type = run.worker_type or job.worker_type
        run.number_of_workers = run.number_of_workers or job.number_of_workers
        run.max_capacity = float(run.number_of_workers or 0) * DPUS.get(run.worker_type, 0)

    def to_its_end(self) -> None:
        self.aws.processes.pause(self.aws.faults.job_seconds)
        status = "FAILED"
        try:
            status = self._run()
        except Exception as error:  # noqa: BLE001 - as Glue does, say whatever went wrong
            self.run.error_message = f"LAUNCH ERROR | {error}"
        self.run.completed_on = self.run.modified_on = now()
        self.run.status = status

    def _run(self) -> str:
        if (end := self.aws.faults.take_job_end()) is not None:
            self.run.error_message = end[1] or None
            return end[0]
        script = self._fetch(self.arguments.get("--scriptLocation") or self._script_of_job())
        libraries = [
            str(self._fetch(uri))
            for uri in self.arguments.get("--extra-py-files", "").split(",")
            if uri
        ]
        if not self.aws.processes.was_stopped(self.run_id):
            self.run.status = "RUNNING"
        output, spark = (self._log_stream(name) for name in ("output", "error"))
        spark.write(SPARK_LINE)
        self._log_stream("output", executor="_g-1").write("an executor's line")
        ended = self.aws.processes.run(
            self.run_id,
            [self.aws.python, str(script), *self._script_arguments()],
            environment_of(self.aws, self.run_id, self._variables(libraries)),
            self.folder,
            output,
            float(self.run.timeout or 2880) * 60,
        )
        output.close()
        spark.close()
        self.run.seconds = billed(ended.seconds)
        return self._status(ended, output)

    def _variables(self, libraries: list[str]) -> dict[str, str]:
        spark = spark_environment(self.aws, self.folder, self._settings())
        return {"PYTHONPATH": os.pathsep.join(libraries), **spark}

    def _settings(self) -> dict[str, str]:
        """Spark's, as Glue makes them: its own, and what the run's or the job's ``--conf`` says."""
        conf = {**(self.job.default_arguments or {}), **self.arguments}.get("--conf", "")
        told = dict(each.strip().split("=", 1) for each in conf.split("--conf") if each.strip())
        by_s3a = tuple(map(int, str(self.job.glue_version or "0.9").split("."))) >= (5, 1)
        return {**({S3A_REGION_SETTING: S3A_REGION} if by_s3a else {}), **told}

    def _log_stream(self, kind: str, executor: str = "") -> LogStream:
        """The script's output and errors are in ``output``, Spark's own lines in ``error``."""
        prefix = self.arguments.get("--custom-logGroup-prefix", LOG_GROUP)
        name, late = f"{self.run_id}{executor}", self.aws.faults.log_seconds
        return LogStream(self.aws.server, f"{prefix}/{kind}", name, late)

    def _script_of_job(self) -> str:
        return str(self.job.command["ScriptLocation"])

    def _fetch(self, uri: str) -> Path:
        path: Path = self.folder / PurePosixPath(uri).name
        path.write_bytes(self.aws.storage.read(uri))
        return path

    def _script_arguments(self) -> list[str]:
        """Glue's own and the run's, with the stray ``true`` that Glue also passes."""
        own = ["true", "--JOB_ID", "j_1", "--JOB_RUN_ID", self.run_id, "--JOB_NAME", self.job.name]
        return own + [part for pair in self.arguments.items() for part in pair]

    def _status(self, ended: Ended, output: LogStream) -> str:
        if ended.stopped:
            return "STOPPED"
        if ended.timed_out:
            self.run.error_message = "Job run timed out"
            return "TIMEOUT"
        if ended.succeeded:
            return "SUCCEEDED"
        said = [line for line in output.lines if line.strip()]
        self.run.error_message = said[-1] if said else f"exit code {ended.code}"
        return "FAILED"
