"""Training and evaluation as SageMaker jobs in its framework containers, in script mode."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import dagster as dg
from pydantic import Field

from abalone_assets.aws.network import Boundary
from abalone_assets.errors import StorageError
from abalone_assets.external.local_training import arguments_of, training_arguments
from abalone_assets.resources.jobs import JobReport, digest_of, job_report, pipes_options
from abalone_assets.resources.ml_platform import (
    EvaluationReport,
    EvaluationRequest,
    MLPlatform,
    TrainingReport,
    TrainingRequest,
    evaluation_report,
)
from abalone_assets.storage.object_store import ObjectStore, locate

PROCESSING: Final = "/opt/ml/processing"
CODE_CHANNEL: Final = "code"
VOLUME_GB: Final = 10
SCRIPT: Final = "train"
METRICS: Final = [
    {"Name": f"{split}:rmse", "Regex": rf"{split}:rmse=([0-9.]+)"}
    for split in ("train", "validation")
]
"""SageMaker reads these off the log, so that its console plots the training too.

It takes them for some images only; they reach the asset in any case, through Pipes.
"""


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
    keep_alive_seconds: int = Field(
        default=0, description="How long a training instance is kept for the next training."
    )
    subnets: list[str] = Field(default=[], description="Of the jobs' VPC; none takes SageMaker's.")
    security_groups: list[str] = Field(default=[], description="Of the jobs in these subnets.")
    kms_key_arn: str = Field(default="", description="Key of volumes and outputs.")
    network_isolation: bool = Field(default=False, description="Give the jobs no network.")

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
        job = job_report(invocation, "SageMaker training")
        return TrainingReport(model_uri, card, job, {"platform": job.platform})

    def _training_job(self, request: TrainingRequest, jobs: ObjectStore) -> dict[str, Any]:
        from abalone_assets.aws.clients import region
        from abalone_assets.aws.images import takes_metric_definitions
        from abalone_assets.aws.parameters import resolve
        from abalone_assets.modeling.framework import framework_named
        from abalone_assets.resources.aws.code_bundle import CodeBundles

        container = framework_named(request.framework).container
        image = self._image(container, self.training_instance_type)
        code, channels = CodeBundles(jobs).training(SCRIPT), dict(request.channels)
        if self.network_isolation:  # the container cannot fetch it
            channels[CODE_CHANNEL] = code
            code = f"/opt/ml/input/data/{CODE_CHANNEL}/{code.rpartition('/')[2]}"
        script_mode = {
            "sagemaker_program": f"{SCRIPT}.py",
            "sagemaker_submit_directory": code,
            "sagemaker_region": region(),
        }
        hyperparameters = {
            **training_arguments(request.framework, request.hyperparameters),
            **script_mode,
        }
        return {
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                **({"MetricDefinitions": METRICS} if takes_metric_definitions(image) else {}),
            },
            "Environment": _environment(),
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
                for name, uri in channels.items()
            ],
            "OutputDataConfig": {"S3OutputPath": request.output_uri, **self._boundary.key()},
            "ResourceConfig": {
                **self._one(self.training_instance_type),
                **({"KeepAlivePeriodInSeconds": kept} if (kept := self.keep_alive_seconds) else {}),
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": self.max_runtime_seconds},
            "EnableManagedSpotTraining": self.spot,
            **self._boundary.vpc,
            **self._boundary.isolation,
        }

    def evaluate(
        self, request: EvaluationRequest, context: dg.AssetExecutionContext
    ) -> EvaluationReport:
        """Evaluate in a job, report included: a second job would start for longer than it works.

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

    def report(
        self,
        request: EvaluationRequest,
        evaluated: dict[str, Any],  # noqa: ARG002 - jobs make the report at once
        context: dg.AssetExecutionContext,
    ) -> EvaluationReport:
        """What the job that evaluated has left, or a job of its own when that is gone.

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
            "Environment": _environment(),
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
                ],
                **self._boundary.key(),
            },
            "ProcessingResources": {"ClusterConfig": self._one(self.processing_instance_type)},
            "StoppingCondition": {"MaxRuntimeInSeconds": self.max_runtime_seconds},
            **self._boundary.network,
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

    @property
    def _boundary(self) -> Boundary:
        return Boundary(
            tuple(self.subnets),
            tuple(self.security_groups),
            self.kms_key_arn,
            self.network_isolation,
        )

    def _one(self, instance_type: str) -> dict[str, Any]:
        return {
            "InstanceType": instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": VOLUME_GB,
            **self._boundary.volume_key(instance_type),
        }


def _environment() -> dict[str, str]:
    """SageMaker says the region in AWS_REGION, which boto3 does not read."""
    from abalone_assets.aws.clients import region

    return {"AWS_DEFAULT_REGION": region()}


def _outputs(
    jobs: ObjectStore, output: str, request: EvaluationRequest, job: JobReport
) -> EvaluationReport:
    with TemporaryDirectory(prefix="evaluation-") as folder:
        for found in jobs.list(output):
            (Path(folder) / Path(found.key).name).write_bytes(jobs.read(found.key))
        return evaluation_report(Path(folder), request, job)
