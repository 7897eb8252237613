"""Training and evaluation as SageMaker jobs in its framework containers, in script mode."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import dagster as dg
from pydantic import Field

from abalone_assets.errors import StorageError
from abalone_assets.resources.jobs import JobReport, digest_of, job_report, pipes_options
from abalone_assets.resources.ml_platform import (
    SCRIPTS,
    EvaluationReport,
    EvaluationRequest,
    MLPlatform,
    TrainingReport,
    TrainingRequest,
    arguments_of,
    evaluation_report,
)
from abalone_assets.storage.object_store import ObjectStore, locate

PROCESSING: Final = "/opt/ml/processing"
VOLUME_GB: Final = 10
CONTAINERS: Final[Mapping[str, str]] = {
    "blend": "xgboost",
    "xgboost": "xgboost",
    "tensorflow": "tensorflow",
}
"""Whose container runs a framework's script: the blend's needs XGBoost and NumPy."""
METRICS: Final = [
    {"Name": f"{split}:rmse", "Regex": rf"{split}:rmse=([0-9.]+)"}
    for split in ("train", "validation")
]
"""SageMaker reads these off the log, so that its console plots the training too."""


class SageMakerPlatform(MLPlatform):
    """SageMaker training and processing jobs in its framework containers, in script mode."""

    jobs_uri: str = Field(description="s3:// prefix of what jobs are given and give back.")
    role_arn: str = Field(description="ARN of the role of the jobs.")
    training_instance_type: str = Field(description="Trains.")
    processing_instance_type: str = Field(description="Evaluates.")
    spot: bool = Field(
        description="Train on managed spot capacity; interrupted, a job of seconds begins anew."
    )
    max_runtime_seconds: int = Field(description="A job that runs longer is stopped.")
    poll_seconds: float = Field(description="Wait between two looks at a job.")
    images: dict[str, str] = Field(description="Image by container; empty takes SageMaker's.")

    def train(self, request: TrainingRequest, context: dg.AssetExecutionContext) -> TrainingReport:
        """Train in a training job.

        Raises:
            PipesJobError: The job failed; the message has its reason and the last log lines.
            StorageError: The archive is not the one that the job reported.
        """
        from abalone_assets.aws.clients import client
        from abalone_assets.aws.prices import INSTANCE_PRICES
        from abalone_assets.modeling.archive import read_card
        from abalone_assets.pipes import PipesSageMakerTrainingClient

        jobs = ObjectStore(self.jobs_uri)
        invocation = PipesSageMakerTrainingClient(
            **pipes_options(jobs, self.poll_seconds),
            client=client("sagemaker"),
            prices=INSTANCE_PRICES,
        ).run(
            context=context,
            create_training_job_params=self._training_job(request, jobs),
            inputs=request.inputs,
        )
        model_uri = invocation.job.description["ModelArtifacts"]["S3ModelArtifacts"]
        store, key = locate(model_uri)
        card = read_card(store.read(key))
        reported = invocation.get_materialize_result(implicit_materialization=False).data_version
        if reported is None or reported.value != card.model_sha256:
            raise StorageError(
                f"{model_uri}: holds the model {card.model_sha256}, but the job "
                f"{invocation.job.name} reported {reported and reported.value}"
            )
        return TrainingReport(model_uri, card, job_report(invocation, "SageMaker training"))

    def _training_job(self, request: TrainingRequest, jobs: ObjectStore) -> dict[str, Any]:
        from abalone_assets.aws.clients import region
        from abalone_assets.aws.parameters import resolve
        from abalone_assets.resources.aws.code_bundle import CodeBundles

        script = SCRIPTS[request.framework]
        script_mode = {
            "sagemaker_program": f"{script}.py",
            "sagemaker_submit_directory": CodeBundles(jobs).training(script),
            "sagemaker_region": region(),
        }
        hyperparameters = {**request.hyperparameters, **script_mode}
        return {
            "AlgorithmSpecification": {
                "TrainingImage": self._image(
                    CONTAINERS[request.framework], self.training_instance_type
                ),
                "TrainingInputMode": "File",
                "MetricDefinitions": METRICS,
            },
            "RoleArn": resolve(self.role_arn),
            "HyperParameters": {name: json.dumps(value) for name, value in hyperparameters.items()},
            "InputDataConfig": [
                {
                    "ChannelName": name,
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",  # its key is a prefix of itself
                            "S3Uri": uri,
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
                for name, uri in request.channels.items()
            ],
            "OutputDataConfig": {"S3OutputPath": request.output_uri},
            "ResourceConfig": _one(self.training_instance_type),
            "StoppingCondition": {"MaxRuntimeInSeconds": self.max_runtime_seconds},
            "EnableManagedSpotTraining": self.spot,
        }

    def evaluate(
        self, request: EvaluationRequest, context: dg.AssetExecutionContext
    ) -> EvaluationReport:
        """Evaluate in a processing job.

        Raises:
            PipesJobError: The job failed; the message has its reason and the last log lines.
            StorageError: The evaluation is of another model.
        """
        from abalone_assets.aws.clients import client
        from abalone_assets.aws.prices import INSTANCE_PRICES
        from abalone_assets.pipes import PipesSageMakerProcessingClient

        jobs, code, output = self._evaluation(request)
        invocation = PipesSageMakerProcessingClient(
            **pipes_options(jobs, self.poll_seconds),
            client=client("sagemaker"),
            prices=INSTANCE_PRICES,
        ).run(
            context=context,
            create_processing_job_params=self._processing_job(request, code, jobs.uri_of(output)),
            inputs=request.inputs,
        )
        return _outputs(jobs, output, request, job_report(invocation, "SageMaker processing"))

    def judge(
        self, request: EvaluationRequest, context: dg.AssetExecutionContext
    ) -> EvaluationReport:
        """Evaluate in one job, report included: a second job would start for longer than it works.

        Raises:
            PipesJobError: The job failed; the message has its reason and the last log lines.
            StorageError: The evaluation is of another model.
        """
        return self.evaluate(request, context)

    def report(
        self, request: EvaluationRequest, context: dg.AssetExecutionContext
    ) -> EvaluationReport:
        """What the job that judged has left, or a job of its own when that is gone.

        Raises:
            PipesJobError: The job failed; the message has its reason and the last log lines.
            StorageError: The evaluation is of another model.
        """
        jobs, _, output = self._evaluation(request)
        if jobs.find(f"{output}/report.html") is None:
            return self.evaluate(request, context)
        return _outputs(jobs, output, request, JobReport(0.0))

    def _evaluation(self, request: EvaluationRequest) -> tuple[ObjectStore, str, str]:
        """Where jobs' objects lie, the code of an evaluation, and the prefix of its outputs."""
        from abalone_assets.resources.aws.code_bundle import CodeBundles

        jobs = ObjectStore(self.jobs_uri)
        code = CodeBundles(jobs).evaluation()
        return jobs, code, f"evaluations/{digest_of({**asdict(request), 'code': code})}"

    def _processing_job(self, request: EvaluationRequest, code: str, output: str) -> dict[str, Any]:
        from abalone_assets.aws.parameters import resolve

        inputs = {"code": code, **request.folders}
        folders = {f"{name}-dir": f"{PROCESSING}/{name}" for name in request.folders}
        folders["output-dir"] = f"{PROCESSING}/evaluation"
        return {
            "AppSpecification": {
                "ImageUri": self._image("xgboost", self.processing_instance_type),
                "ContainerEntrypoint": ["python3", f"{PROCESSING}/code/evaluate.pyz"],
                "ContainerArguments": arguments_of({**folders, **request.options}),
            },
            "RoleArn": resolve(self.role_arn),
            "ProcessingInputs": [
                {
                    "InputName": name,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": f"{PROCESSING}/{name}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for name, uri in inputs.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "evaluation",
                        "S3Output": {
                            "S3Uri": output,
                            "LocalPath": f"{PROCESSING}/evaluation",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            "ProcessingResources": {"ClusterConfig": _one(self.processing_instance_type)},
            "StoppingCondition": {"MaxRuntimeInSeconds": self.max_runtime_seconds},
        }

    def _image(self, container: str, instance_type: str) -> str:
        from abalone_assets.aws.clients import region
        from abalone_assets.aws.images import image_uri

        return image_uri(
            container,
            region=region(),
            instance_type=instance_type,
            override=self.images.get(container, ""),
        )


def _outputs(
    jobs: ObjectStore, output: str, request: EvaluationRequest, job: JobReport
) -> EvaluationReport:
    with TemporaryDirectory(prefix="evaluation-") as folder:
        for found in jobs.list(output):
            (Path(folder) / Path(found.key).name).write_bytes(jobs.read(found.key))
        return evaluation_report(Path(folder), request, job)


def _one(instance_type: str) -> dict[str, Any]:
    return {"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": VOLUME_GB}
