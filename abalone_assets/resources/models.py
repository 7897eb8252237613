"""The gate, the model registry and the endpoint host: who decides, keeps and serves a model."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from abalone_assets.settings.aws import EndpointMode

if TYPE_CHECKING:
    from abalone_assets.aws.network import Boundary
    from abalone_assets.modeling.evaluation.gate import GateLimits
    from abalone_assets.registry.folder import FolderRegistry
    from abalone_assets.registry.model_packages import ModelPackageRegistry
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.serving.endpoint import Endpoint
    from abalone_assets.serving.local_endpoint import LocalEndpoint
    from abalone_assets.serving.sagemaker.endpoint import SageMakerEndpoint


class Gate(dg.ConfigurableResource[None]):
    """What an evaluated model must keep to go to production."""

    limits: dict[str, Any] = Field(description="By name, as `GateLimits` has them.")

    def open(self) -> "GateLimits":
        """The limits.

        Raises:
            GateError: One makes no sense.
        """
        from abalone_assets.modeling.evaluation.gate import GateLimits

        return GateLimits(**self.limits)


class ModelRegistryResource(dg.ConfigurableResource[None], ABC):
    """Keeps immutable, numbered versions of evaluated models, and who approved or rejected each."""

    @abstractmethod
    def open(self) -> "ModelRegistry":
        """The registry, opened now."""


class LocalModelRegistry(ModelRegistryResource):
    """Versions at a folder or an ``s3://`` prefix."""

    uri: str = Field(description="Folder's path or s3:// prefix.")

    def open(self) -> "FolderRegistry":
        """The registry, opened now."""
        from abalone_assets.registry.folder import FolderRegistry
        from abalone_assets.storage.object_store import ObjectStore

        return FolderRegistry(ObjectStore(self.uri))


class EndpointHost(dg.ConfigurableResource[None], ABC):
    """Serves one model version at a time."""

    endpoint_name: str = Field(description="Name of the endpoint.")

    @abstractmethod
    def open(self) -> "Endpoint":
        """The endpoint, whether it exists yet or not."""


class LocalEndpointHost(EndpointHost):
    """The server of ``abalone serve``, told through a pointer in the registry's store."""

    registry: LocalModelRegistry
    state_file: str = Field(description="File in which a running server says its address.")
    host: str = Field(description="Address of the server when none is running yet.")
    port: int = Field(description="Its port.")
    timeout_seconds: float = Field(description="Longest wait for the server to take a version.")

    def open(self) -> "LocalEndpoint":
        """The endpoint, whether a server runs or not."""
        from abalone_assets.serving.local_endpoint import LocalEndpoint

        return LocalEndpoint(
            self.registry.open(),
            self.endpoint_name,
            state_file=Path(self.state_file),
            host=self.host,
            port=self.port,
            timeout_seconds=self.timeout_seconds,
        )


class SageMakerModelRegistry(ModelRegistryResource):
    """Versions are the packages of a model package group."""

    group: str = Field(description="Name of the model package group, or ssm:/path/name.")
    uri: str = Field(description="s3:// prefix of the archives, or ssm:/path/name.")
    image: str = Field(description="Image that serves the models; empty takes SageMaker's.")
    instance_type: str = Field(description="Instance type that the image is for.")
    studio_notes: bool = Field(
        default=True, description="Write model card and lineage of a version, too."
    )

    def open(self) -> "ModelPackageRegistry":
        """The registry, opened now.

        Raises:
            SettingsError: A parameter is missing or cannot be read.
        """
        from abalone_assets.registry.open import open_model_packages

        return open_model_packages(
            self.group,
            self.uri,
            self.instance_type,
            self.image,
            studio_notes=self.studio_notes,
        )


class SageMakerEndpointHost(EndpointHost):
    """A SageMaker endpoint: instances with data capture, updated blue/green, or serverless."""

    registry: SageMakerModelRegistry
    role_arn: str = Field(description="ARN of the containers' role, or ssm:/path/name.")
    capture_uri: str = Field(description="s3:// prefix of captured requests, or ssm:/path/name.")
    instance_type: str = Field(description="Serves.")
    instance_count: int = Field(description="How many instances serve.")
    alarms: str = Field(description="CloudWatch alarms, comma-separated, or ssm:/path/name.")
    canary_percent: int = Field(description="Share of the capacity that is shifted first.")
    canary_wait_seconds: int = Field(description="How long the alarms watch the canary.")
    timeout_seconds: int = Field(description="A deployment that takes longer is rolled back.")
    poll_seconds: float = Field(description="Wait between two looks at the endpoint.")
    mode: EndpointMode = Field(default="instances", description="What the endpoint runs on.")
    max_instance_count: int = Field(default=4, description="Most instances when autoscaled.")
    invocations_per_minute: int = Field(
        default=1200, description="Questions a minute and instance that autoscaling aims at."
    )
    serverless_memory_mb: int = Field(default=2048, description="Memory when serverless.")
    serverless_max_concurrency: int = Field(
        default=5, description="Most questions at a time when serverless."
    )
    subnets: list[str] = Field(default=[], description="Of the endpoint's VPC, if any.")
    security_groups: list[str] = Field(default=[], description="Of the instances in it.")
    kms_key_arn: str = Field(default="", description="Key of volumes and captured requests.")
    network_isolation: bool = Field(default=False, description="Give containers no network.")

    @property
    def boundary(self) -> "Boundary":
        """The network and the key of whatever its models run in."""
        from abalone_assets.aws.network import Boundary

        return Boundary(
            tuple(self.subnets),
            tuple(self.security_groups),
            self.kms_key_arn,
            self.network_isolation,
        )

    def open(self) -> "SageMakerEndpoint":
        """The endpoint, whether it exists yet or not.

        Raises:
            SettingsError: A parameter is missing or cannot be read.
        """
        from abalone_assets.aws.clients import client
        from abalone_assets.aws.parameters import resolve, resolve_list
        from abalone_assets.serving.sagemaker.configs import Hosting, Serverless
        from abalone_assets.serving.sagemaker.endpoint import SageMakerEndpoint
        from abalone_assets.serving.sagemaker.rollout import Rollout
        from abalone_assets.serving.sagemaker.scaling import Scaling

        serverless = Serverless(self.serverless_memory_mb, self.serverless_max_concurrency)
        scaling = Scaling(self.instance_count, self.max_instance_count, self.invocations_per_minute)
        return SageMakerEndpoint(
            self.endpoint_name,
            Hosting(
                role_arn=resolve(self.role_arn),
                capture_uri=resolve(self.capture_uri),
                instance_type=self.instance_type,
                instance_count=self.instance_count,
                serverless=serverless if self.mode == "serverless" else None,
                boundary=self.boundary,
            ),
            Rollout(
                canary_percent=self.canary_percent,
                canary_wait_seconds=self.canary_wait_seconds,
                alarms=tuple(resolve_list(self.alarms)),
                timeout_seconds=self.timeout_seconds,
            ),
            package_arn=self.registry.open().package_arn,
            sagemaker=client("sagemaker"),
            runtime=client("sagemaker-runtime"),
            cloudwatch=client("cloudwatch"),
            autoscaling=client("application-autoscaling"),
            scaling=scaling if self.mode == "autoscaled" else None,
            poll_seconds=self.poll_seconds,
        )
