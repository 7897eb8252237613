"""Model registry and endpoint of the aws profile: SageMaker's."""

from typing import TYPE_CHECKING

from pydantic import Field

from abalone_assets.resources.models import EndpointHost, ModelRegistryResource

if TYPE_CHECKING:
    from abalone_assets.registry.model_packages import ModelPackageRegistry
    from abalone_assets.serving.sagemaker.endpoint import SageMakerEndpoint


class SageMakerModelRegistry(ModelRegistryResource):
    """Versions are the packages of a model package group."""

    group: str = Field(description="Name of the model package group, or ssm:/path/name.")
    uri: str = Field(description="s3:// prefix of the archives, or ssm:/path/name.")
    image: str = Field(description="Image that serves the models; empty takes SageMaker's.")
    instance_type: str = Field(description="Instance type that the image is for.")

    def open(self) -> "ModelPackageRegistry":
        """The registry, opened now.

        Raises:
            SettingsError: A parameter is missing or cannot be read.
        """
        from abalone_assets.registry.open import open_model_packages

        return open_model_packages(self.group, self.uri, self.instance_type, self.image)


class SageMakerEndpointHost(EndpointHost):
    """A SageMaker endpoint with data capture, updated blue/green behind alarms."""

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

    def open(self) -> "SageMakerEndpoint":
        """The endpoint, whether it exists yet or not.

        Raises:
            SettingsError: A parameter is missing or cannot be read.
        """
        from abalone_assets.aws.clients import client
        from abalone_assets.aws.parameters import resolve, resolve_list
        from abalone_assets.serving.sagemaker.endpoint import Hosting, Rollout, SageMakerEndpoint

        return SageMakerEndpoint(
            self.endpoint_name,
            Hosting(
                role_arn=resolve(self.role_arn),
                capture_uri=resolve(self.capture_uri),
                instance_type=self.instance_type,
                instance_count=self.instance_count,
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
            poll_seconds=self.poll_seconds,
        )
