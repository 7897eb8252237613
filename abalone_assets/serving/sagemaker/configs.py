"""What an endpoint runs: SageMaker models and endpoint configurations, named by their content.

The same version on the same hosting always has the same names, so a try that was cut short leaves
nothing that the next one would make twice, and a changed setting is a new configuration and thus an
update: ``<endpoint>-v<version>-<hash>``.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import exists_already, found, translate_errors
from abalone_assets.aws.network import OPEN, Boundary
from abalone_assets.errors import EndpointError
from abalone_assets.serving.protocol import VARIANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

PROJECT_TAG: Final = "Project"
PROJECT: Final = "abalone-assets"
ENDPOINT_TAG: Final = "Endpoint"

STARTUP_SECONDS: Final = 600
"""How long an instance may take to fetch the model, and a container to answer its health check."""

_MAX_NAME: Final = 63
_PACKAGE_VERSION: Final = re.compile(r"/([0-9]+)$")
_NAME_VERSION: Final = re.compile(r"-v([0-9]{6,})-[0-9a-f]{8}$")


@dataclass(frozen=True)
class Serverless:
    """What a serverless endpoint may use.

    Attributes:
        memory_mb: Of one container: 1024 to 6144, a multiple of 1024.
        max_concurrency: How many questions it answers at a time, 1 to 200; more are refused.
    """

    memory_mb: int = 2048
    max_concurrency: int = 5


@dataclass(frozen=True)
class Hosting:
    """On what, and how, an endpoint hosts a model.

    Attributes:
        role_arn: The role that the containers run with.
        capture_uri: ``s3://`` prefix of what the endpoint is asked and answers.
        instance_type: Such as ``ml.m5.large``.
        instance_count: How many; SageMaker spreads two over two zones.
        serverless: Instead of instances, where given.
        boundary: The network of the containers and the key of what they write.
    """

    role_arn: str
    capture_uri: str
    instance_type: str = "ml.m5.large"
    instance_count: int = 2
    serverless: Serverless | None = None
    boundary: Boundary = OPEN


@dataclass(frozen=True)
class Resource:
    """A model or an endpoint configuration of an endpoint.

    Attributes:
        kind: ``model`` or ``endpoint config``.
    """

    kind: str
    name: str
    created_at: datetime


class EndpointConfigs:
    """The models and configurations of one endpoint."""

    def __init__(self, endpoint: str, sagemaker: Any) -> None:  # noqa: ANN401 - made at run time
        self.endpoint = endpoint
        self._sagemaker = sagemaker

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tags of all that belongs to the endpoint, itself included."""
        tags = {PROJECT_TAG: PROJECT, ENDPOINT_TAG: self.endpoint}
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    def name_of(self, version: int, package_arn: str, hosting: Hosting) -> str:
        """The name of the configuration that `ensure` makes."""
        return str(self._config(version, package_arn, hosting)["EndpointConfigName"])

    def ensure(self, version: int, package_arn: str, hosting: Hosting) -> str:
        """Create the model and the configuration of a version, where they do not exist.

        Returns:
            The configuration's name.

        Raises:
            EndpointError: SageMaker refuses, such as a package that is not approved.
        """
        self.ensure_model(version, package_arn, hosting)
        config = self._config(version, package_arn, hosting)
        name: str = config["EndpointConfigName"]
        create_config = self._sagemaker.create_endpoint_config
        self._create("endpoint config", name, create_config, config)
        return name

    def ensure_model(self, version: int, package_arn: str, hosting: Hosting) -> str:
        """Create the model of a version, where it does not exist.

        Returns:
            The model's name.

        Raises:
            EndpointError: As `ensure`.
        """
        model = self._model(version, package_arn, hosting)
        name: str = model["ModelName"]
        self._create("model", name, self._sagemaker.create_model, model)
        return name

    def version_of(self, config: str) -> int | None:
        """The model version that a configuration serves; None when it serves no version of ours.

        Said by its model's package or, where that is gone, by its own name.
        """
        number = _PACKAGE_VERSION.search(self._package_of(config)) or _NAME_VERSION.search(config)
        return int(number[1]) if number else None

    def is_serverless(self, config: str) -> bool:
        """Whether a configuration has no instances; one that is gone is taken to have some."""
        return "ServerlessConfig" in self._variant_of(config)

    def instance_type_of(self, config: str) -> str:
        """The instance type of a configuration; empty when it has no instances, or is gone."""
        return str(self._variant_of(config).get("InstanceType", ""))

    def exists(self, config: str) -> bool:
        """Whether there is such a configuration."""
        return self._described(config) is not None

    def all(self) -> list[Resource]:
        """Every configuration and model that was made for this endpoint, configurations first."""
        return [*self._listed("endpoint config"), *self._listed("model")]

    def delete(self, resource: Resource) -> None:
        """Delete a configuration or a model; one that does not exist is no error."""
        if resource.kind == "model":
            found(self._sagemaker.delete_model, ModelName=resource.name)
        else:
            found(self._sagemaker.delete_endpoint_config, EndpointConfigName=resource.name)

    def delete_unused(self, keep: set[str], before: datetime) -> list[Resource]:
        """Delete the configurations that are not to be kept, and the models that none of them uses.

        Args:
            keep: Names of configurations.
            before: What was created later stays: it belongs to a deployment that has just begun.

        Returns:
            What was deleted.
        """
        models = {self._model_of(config) for config in keep}
        unused = [
            resource
            for resource in self.all()
            if resource.name not in keep | models and resource.created_at < before
        ]
        for resource in unused:
            self.delete(resource)
        return unused

    def _model(self, version: int, package_arn: str, hosting: Hosting) -> dict[str, Any]:
        content = {
            "PrimaryContainer": {"ModelPackageName": package_arn},
            "ExecutionRoleArn": hosting.role_arn,
            **hosting.boundary.vpc,
            **hosting.boundary.isolation,
            "Tags": self.tags,
        }
        return {"ModelName": self._name(version, content), **content}

    def _config(self, version: int, package_arn: str, hosting: Hosting) -> dict[str, Any]:
        content: dict[str, Any] = {
            "ProductionVariants": [
                {
                    "VariantName": VARIANT,
                    "ModelName": self._model(version, package_arn, hosting)["ModelName"],
                    **_capacity(hosting),
                }
            ],
            **_capture(hosting),
            **hosting.boundary.volume_key(_instance_type(hosting), "KmsKeyId"),
            "Tags": self.tags,
        }
        return {"EndpointConfigName": self._name(version, content), **content}

    def _name(self, version: int, content: dict[str, Any]) -> str:
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return self._ending_with(f"-v{version:06d}-{digest[:8]}")

    def _ending_with(self, end: str) -> str:
        return self.endpoint[: _MAX_NAME - len(end)].rstrip("-") + end

    def _is_named_by_us(self, name: str) -> bool:
        """Whether `_name` may have made it; of what is another's we may not even ask for tags."""
        end = _NAME_VERSION.search(name)
        return end is not None and name == self._ending_with(end[0])

    def _create(
        self, kind: str, name: str, create: Callable[..., Any], parameters: dict[str, Any]
    ) -> None:
        from botocore.exceptions import ClientError

        with translate_errors(EndpointError, f"{kind} {name}"):
            try:
                create(**parameters)
            except ClientError as error:
                if not exists_already(error):
                    raise

    def _package_of(self, config: str) -> str:
        model = found(self._sagemaker.describe_model, ModelName=self._model_of(config)) or {}
        containers = [model.get("PrimaryContainer") or {}, *(model.get("Containers") or [])]
        packages = (container.get("ModelPackageName") for container in containers)
        return next((str(package) for package in packages if package), "")

    def _model_of(self, config: str) -> str:
        """The name of a configuration's model; where the configuration is gone, its own."""
        return str(self._variant_of(config).get("ModelName", config))

    def _variant_of(self, config: str) -> dict[str, Any]:
        """A configuration's one variant; empty where the configuration is gone."""
        document = self._described(config)
        return dict(document["ProductionVariants"][0]) if document else {}

    def _described(self, config: str) -> dict[str, Any] | None:
        return found(self._sagemaker.describe_endpoint_config, EndpointConfigName=config)

    def _listed(self, kind: str) -> Iterator[Resource]:
        """What was made for this endpoint: its name says so, and so does its tag."""
        is_model = kind == "model"
        operation = "list_models" if is_model else "list_endpoint_configs"
        names = "Model" if is_model else "EndpointConfig"
        entries = "Models" if is_model else "EndpointConfigs"
        start = self.endpoint[:32].rstrip("-")
        for page in self._sagemaker.get_paginator(operation).paginate(NameContains=start):
            for entry in page[entries]:
                name = entry[f"{names}Name"]
                if self._is_named_by_us(name) and self._is_ours(entry[f"{names}Arn"]):
                    yield Resource(kind, name, entry["CreationTime"])

    def _is_ours(self, arn: str) -> bool:
        """Whether it has our tags; what was deleted since it was listed has none."""
        listed = found(self._sagemaker.list_tags, ResourceArn=arn)
        return listed is not None and all(tag in listed["Tags"] for tag in self.tags)


def _capacity(hosting: Hosting) -> dict[str, Any]:
    """The members of a variant that say what it runs on."""
    if (serverless := hosting.serverless) is not None:
        limits = {
            "MemorySizeInMB": serverless.memory_mb,
            "MaxConcurrency": serverless.max_concurrency,
        }
        return {"ServerlessConfig": limits}
    return {
        "InstanceType": hosting.instance_type,
        "InitialInstanceCount": hosting.instance_count,
        "InitialVariantWeight": 1.0,
        "ModelDataDownloadTimeoutInSeconds": STARTUP_SECONDS,
        "ContainerStartupHealthCheckTimeoutInSeconds": STARTUP_SECONDS,
    }


def _instance_type(hosting: Hosting) -> str:
    """Empty where there are no instances."""
    return "" if hosting.serverless is not None else hosting.instance_type


def _capture(hosting: Hosting) -> dict[str, Any]:
    """What is captured: all; nothing of a serverless endpoint, for SageMaker does not offer it."""
    if hosting.serverless is not None:
        return {}
    config = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": hosting.capture_uri,
        **hosting.boundary.key(),
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        # Without these, bodies are captured in Base64.
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json"],
        },
    }
    return {"DataCaptureConfig": config}
