"""SageMaker training jobs that run, by the script mode contract of the framework containers.

Those of the image ``sagemaker-xgboost`` go through its own toolkit, which downloads and installs
the script: `abalone_assets_tests.fakes.toolkits`. For others the script alone is run. The contract
is the `SageMaker training toolkit's
<https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md>`_.
"""

from __future__ import annotations

import json
import shlex
import tarfile
from typing import TYPE_CHECKING, Any, Final

from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.responses import SageMakerResponse

from abalone_assets_tests.fakes.actions import Request, Service, action
from abalone_assets_tests.fakes.api_models import check_request
from abalone_assets_tests.fakes.jobs import (
    JobRun,
    billed,
    environment_of,
    now,
    reach_of,
    transition,
)
from abalone_assets_tests.fakes.storage import NoSuchDataError
from abalone_assets_tests.fakes.toolkits import PROGRAM, in_xgboost_image, toolkits

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.processes import Ended, LogStream
    from abalone_assets_tests.fakes.standin import AwsStandIn

SPOT_PRICE: Final = 0.3
"""Billable share of the seconds of a spot job."""

_FOLDERS: Final = ("input/config", "input/data", "model", "output/data", "code", "checkpoints")


class TrainingJobs(Service):
    """Create, describe, list, update and stop training jobs."""

    response_class = SageMakerResponse

    @action
    def create_training_job(self, request: Request) -> Any:
        params = request.params
        jobs = request.response.sagemaker_backend.training_jobs
        answer = request.moto()
        job = jobs[params["TrainingJobName"]]
        job.environment = params.get("Environment")
        job.artifacts, job.model_artifacts = job.model_artifacts["S3ModelArtifacts"], None
        job.training_start_time = job.training_end_time = job.failure_reason = None
        job.training_job_status = job.secondary_status = "InProgress"
        if job.resource_config.get("KeepAlivePeriodInSeconds"):
            job.warm_pool_status = {"Status": "InUse"}
        transition(job, "Starting", "Starting the training job")
        self._aws.processes.enter(_Run.process_of(job.training_job_name))
        self._aws.processes.in_background(_Run(self._aws, job, params).to_its_end)
        return answer

    @action
    def describe_training_job(self, request: Request) -> Any:
        _existing(request)
        return request.moto()

    @action
    def list_training_jobs(self, request: Request) -> Any:
        """moto knows nothing of warm pools."""
        answer, wanted = request.moto(), request.params.get("WarmPoolStatusEquals")
        jobs = request.response.sagemaker_backend.training_jobs
        if wanted is not None:
            answer.result["TrainingJobSummaries"] = [
                summary
                for summary in answer.result["TrainingJobSummaries"]
                if _warm_pool(jobs[summary["TrainingJobName"]]) == wanted
            ]
        return answer

    @action
    def update_training_job(self, request: Request) -> dict[str, Any]:
        """Of what may be updated, how long a warm pool waits."""
        check_request("UpdateTrainingJob", request.params)
        job = _existing(request)
        if _warm_pool(job) not in {"InUse", "Available"}:
            raise ValidationError(message="The training job has no warm pool that is kept alive.")
        kept = request.params["ResourceConfig"]["KeepAlivePeriodInSeconds"]
        job.resource_config["KeepAlivePeriodInSeconds"] = kept
        if kept == 0 and _warm_pool(job) == "Available":
            job.warm_pool_status = {"Status": "Terminated"}
        return {"TrainingJobArn": job.arn}

    @action
    def stop_training_job(self, request: Request) -> dict[str, Any]:
        job = _existing(request)
        if job.training_job_status == "InProgress":
            job.training_job_status = "Stopping"
            transition(job, "Stopping", "Stopping the training job")
            self._aws.processes.stop(_Run.process_of(job.training_job_name))
        return {}


def _existing(request: Request) -> Any:
    jobs = request.response.sagemaker_backend.training_jobs
    job = jobs.get(request.params["TrainingJobName"])
    if job is None:
        raise ValidationError(message="Requested resource not found.")
    return job


def _warm_pool(job: Any) -> str | None:
    """Status of the instances that are kept for the next job; None where none are."""
    return (getattr(job, "warm_pool_status", None) or {}).get("Status")


class _Run(JobRun):
    """One training job."""

    kind = "Training"

    def __init__(self, aws: AwsStandIn, job: Any, params: dict[str, Any]) -> None:
        super().__init__(aws, job, job.training_job_name, params)
        self.hyperparameters = {
            key: _decoded(self.sandbox.moved(value))
            for key, value in (params.get("HyperParameters") or {}).items()
        }
        self.channels: dict[str, Path] = {}
        self.interrupt_after = (
            aws.faults.take_spot_interruption() if job.enable_managed_spot_training else None
        )

    def end(self, status: str) -> None:
        self.job.training_end_time = now()
        if _warm_pool(self.job):
            waits = status == "Completed" and self.job.resource_config["KeepAlivePeriodInSeconds"]
            self.job.warm_pool_status = {"Status": "Available" if waits else "Terminated"}
        transition(self.job, status, f"Training job {status.lower()}")
        self.job.training_job_status = "Stopped" if status == "MaxRuntimeExceeded" else status

    def run(self) -> str:
        if self.aws.processes.was_stopped(self.process_of(self.name)):
            return "Stopped"
        transition(self.job, "Downloading", "Downloading the training image")
        self._download()
        self.job.training_start_time = now()
        stream = self.log_stream()
        ended = self._train(stream)
        if self.interrupt_after is not None and not ended.succeeded and not ended.stopped:
            ended = self._train_again(stream, ended)
        stream.close()
        return self._finish(ended, stream)

    def _download(self) -> None:
        for name in _FOLDERS:
            self.sandbox.folder(name)
        for channel in self.params.get("InputDataConfig") or []:
            name = channel["ChannelName"]
            folder = self.sandbox.folder(f"input/data/{name}")
            self.aws.storage.require(channel["DataSource"]["S3DataSource"]["S3Uri"], folder)
            self.channels[name] = folder
        if checkpoints := self.params.get("CheckpointConfig"):
            folder = self._checkpoints()
            self.aws.storage.download(checkpoints["S3Uri"], folder)
        submitted = self.hyperparameters["sagemaker_submit_directory"]
        if submitted.startswith("s3://") and self.params.get("EnableNetworkIsolation"):
            raise NoSuchDataError(f"the isolated container cannot download {submitted}")
        if self.in_xgboost_image:
            self._describe_itself()
        elif submitted.startswith("s3://"):
            self.aws.storage.extract(submitted, self.sandbox.folder("code"))
        else:
            with tarfile.open(submitted) as archive:
                archive.extractall(self.sandbox.folder("code"), filter="data")

    def _describe_itself(self) -> None:
        """Write what SageMaker tells a training container.

        https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
        """
        given = (self.params.get("HyperParameters") or {}).items()
        mode = self.params["AlgorithmSpecification"]["TrainingInputMode"]
        documents = {
            "hyperparameters": {key: self.sandbox.moved(value) for key, value in given},
            "inputdataconfig": {name: {"TrainingInputMode": mode} for name in self.channels},
            "resourceconfig": {"current_host": "algo-1", "hosts": ["algo-1"]},
        }
        for name, document in documents.items():
            path = self.sandbox.folder("input/config") / f"{name}.json"
            path.write_text(json.dumps(document))

    def _checkpoints(self) -> Path:
        config = self.params["CheckpointConfig"]
        return self.sandbox.folder(config.get("LocalPath", "/opt/ml/checkpoints"))

    def _train(self, stream: LogStream) -> Ended:
        transition(self.job, "Training", "Training image download completed. Training in progress.")
        if self.interrupt_after is not None:
            self.aws.processes.interrupt(self.process_of(self.name), self.interrupt_after)
        return self.aws.processes.run(
            self.process_of(self.name),
            self._command(),
            self._environment(),
            self.sandbox.folder("code"),
            stream,
            self.params["StoppingCondition"].get("MaxRuntimeInSeconds", 86_400),
        )

    @property
    def in_xgboost_image(self) -> bool:
        return in_xgboost_image(self.params["AlgorithmSpecification"]["TrainingImage"])

    def _command(self) -> list[str]:
        if self.in_xgboost_image:
            return [toolkits().python, str(PROGRAM), "train"]
        user = {k: v for k, v in self.hyperparameters.items() if not k.startswith("sagemaker_")}
        arguments = [part for key in sorted(user) for part in (f"--{key}", str(user[key]))]
        return [self.aws.python, self._script, *arguments]

    @property
    def _script(self) -> str:
        return str(self.hyperparameters["sagemaker_program"])

    def _train_again(self, stream: LogStream, ended: Ended) -> Ended:
        """After a spot interruption: the checkpoints survive the instance, nothing else does."""
        if checkpoints := self.params.get("CheckpointConfig"):
            self.aws.storage.upload(self._checkpoints(), checkpoints["S3Uri"])
        self.interrupt_after = None
        transition(self.job, "Interrupted", "Interrupting the training job")
        transition(self.job, "Starting", "Starting the training job")
        again = self._train(stream)
        again.seconds += ended.seconds
        return again

    def _environment(self) -> dict[str, str]:
        given = self.params.get("Environment") or {}
        moved = {key: self.sandbox.moved(value) for key, value in given.items()}
        isolated = self.params.get("EnableNetworkIsolation", False)
        if self.in_xgboost_image:
            own = reach_of(self.aws, self.name, isolated=isolated)
            return toolkits().environment(self.sandbox.opt_ml, {**own, **moved})
        contract = {
            "SM_MODEL_DIR": str(self.sandbox.folder("model")),
            "SM_OUTPUT_DATA_DIR": str(self.sandbox.folder("output/data")),
            **{f"SM_CHANNEL_{name.upper()}": str(path) for name, path in self.channels.items()},
        }
        return environment_of(self.aws, self.name, {**contract, **moved}, isolated=isolated)

    def _finish(self, ended: Ended, stream: LogStream) -> str:
        transition(self.job, "Uploading", "Uploading generated training model")
        self.job.training_time_in_seconds = billed(ended.seconds)
        share = SPOT_PRICE if self.job.enable_managed_spot_training else 1
        self.job.billable_time_in_seconds = billed(ended.seconds * share)
        if checkpoints := self.params.get("CheckpointConfig"):
            self.aws.storage.upload(self._checkpoints(), checkpoints["S3Uri"])
        output = self.sandbox.folder("output/data")
        if any(output.iterdir()):
            target = self.job.artifacts.removesuffix("model.tar.gz") + "output.tar.gz"
            self.aws.storage.pack(output, target)
        if not (ended.succeeded or ended.stopped or ended.timed_out):
            self.job.failure_reason = f"AlgorithmError: {self._failure(ended, stream)}"[:1024]
            return "Failed"
        self.aws.storage.pack(self.sandbox.folder("model"), self.job.artifacts)
        self.job.model_artifacts = {"S3ModelArtifacts": self.job.artifacts}
        if ended.stopped:
            return "Stopped"
        if ended.timed_out:
            return "MaxRuntimeExceeded"
        return "Completed"

    def _failure(self, ended: Ended, stream: LogStream) -> str:
        """What the toolkit writes for SageMaker to tell; the others' as theirs words it."""
        written = self.sandbox.folder("output") / "failure"
        if written.exists():
            return written.read_text()
        tail = "\n".join(stream.lines[-30:])[-700:]
        command = shlex.join(["python3", self._script])
        return (
            f'ExecuteUserScriptError:\nExitCode {ended.code}\nErrorMessage "{tail}"\n'
            f'Command "{command}", exit code: {ended.code}'
        )


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
