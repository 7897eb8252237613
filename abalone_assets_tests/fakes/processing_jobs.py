"""SageMaker processing jobs that run: files in, a command, files out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.responses import SageMakerResponse

from abalone_assets_tests.fakes.actions import Request, Service, action
from abalone_assets_tests.fakes.jobs import (
    JobRun,
    environment_of,
    now,
    reach_of,
)
from abalone_assets_tests.fakes.toolkits import in_xgboost_image, toolkits

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.processes import Ended

EXIT_MESSAGE_LIMIT: Final = 1024


class ProcessingJobs(Service):
    """Create, describe and stop processing jobs."""

    response_class = SageMakerResponse

    @action
    def create_processing_job(self, request: Request) -> Any:
        params = request.params
        jobs = request.response.sagemaker_backend.processing_jobs
        answer = request.moto()
        name = params["ProcessingJobName"]
        job = jobs[name]
        job.environment = params.get("Environment")
        job.processing_resources = params["ProcessingResources"]
        job.processing_job_status = "InProgress"
        job.processing_start_time = job.processing_end_time = None
        job.failure_reason = job.exit_message = None
        self._aws.processes.enter(_Run.process_of(name))
        self._aws.processes.in_background(_Run(self._aws, job, name, params).to_its_end)
        return answer

    @action
    def describe_processing_job(self, request: Request) -> Any:
        _existing(request)
        return request.moto()

    @action
    def stop_processing_job(self, request: Request) -> dict[str, Any]:
        job = _existing(request)
        if job.processing_job_status == "InProgress":
            job.processing_job_status = "Stopping"
            self._aws.processes.stop(_Run.process_of(job.processing_job_name))
        return {}


def _existing(request: Request) -> Any:
    name = request.params["ProcessingJobName"]
    job = request.response.sagemaker_backend.processing_jobs.get(name)
    if job is None:
        raise ValidationError(message=f"Could not find requested job with name: {name}")
    return job


class _Run(JobRun):
    """One processing job."""

    kind = "Processing"

    def end(self, status: str) -> None:
        self.job.processing_end_time = self.job.last_modified_time = now()
        self.job.processing_job_status = status

    def run(self) -> str:
        for each in self.params.get("ProcessingInputs") or []:
            source = each["S3Input"]
            self.aws.storage.require(source["S3Uri"], self.sandbox.folder(source["LocalPath"]))
        outputs = self._output_folders()
        ended = self._process()
        message = self.sandbox.folder("output") / "message"
        if message.exists():
            self.job.exit_message = message.read_text()[:EXIT_MESSAGE_LIMIT]
        for folder, uri, continuous in outputs:
            if ended.succeeded or continuous:
                self.aws.storage.upload(folder, uri)
        if ended.succeeded:
            return "Completed"
        if ended.stopped or ended.timed_out:
            return "Stopped"
        self.job.failure_reason = (
            f"AlgorithmError: See job logs for more information, exit code: {ended.code}"
        )
        return "Failed"

    def _output_folders(self) -> list[tuple[Path, str, bool]]:
        """Folder, URI, and whether it is copied all the time, whatever becomes of the job."""
        config = self.params.get("ProcessingOutputConfig") or {}
        outputs = [each["S3Output"] for each in config.get("Outputs", [])]
        return [
            (
                self.sandbox.folder(each["LocalPath"]),
                each["S3Uri"],
                each["S3UploadMode"] == "Continuous",
            )
            for each in outputs
        ]

    def _process(self) -> Ended:
        app = self.params["AppSpecification"]
        command = [*(app.get("ContainerEntrypoint") or []), *(app.get("ContainerArguments") or [])]
        moved = [self.sandbox.moved(part) for part in command]
        given = self.params.get("Environment") or {}
        environ = {key: self.sandbox.moved(value) for key, value in given.items()}
        isolated = (self.params.get("NetworkConfig") or {}).get("EnableNetworkIsolation", False)
        python = self.aws.python
        if in_xgboost_image(app["ImageUri"]):
            python = toolkits().python
            own = reach_of(self.aws, self.name, isolated=isolated)
            environ = toolkits().environment(self.sandbox.opt_ml, {**own, **environ})
        else:
            environ = environment_of(self.aws, self.name, environ, isolated=isolated)
        if moved and moved[0] in {"python", "python3"}:
            moved[0] = python
        stream = self.log_stream()
        self.job.processing_start_time = now()
        try:
            return self.aws.processes.run(
                self.process_of(self.name),
                moved,
                environ,
                self.sandbox.folder("work"),
                stream,
                (self.params.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", 86_400),
            )
        finally:
            stream.close()
