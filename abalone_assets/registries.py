"""The model registry and the live version of the profile in force, without Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.storage import ObjectStore

if TYPE_CHECKING:
    from abalone_assets.aws.model_packages import ModelPackageRegistry
    from abalone_assets.serving.approvals import ApprovalRegistry
    from abalone_assets.settings import Settings


def open_registry(settings: Settings) -> ApprovalRegistry:
    """The model registry that the settings name.

    Raises:
        SettingsError: A setting or an SSM parameter is missing or cannot be read.
    """
    if settings.profile == "aws":
        from abalone_assets.aws.settings import load_aws_settings

        aws = load_aws_settings()
        return open_model_packages(
            aws.model_package_group,
            settings.registry_uri,
            aws.endpoint_instance_type,
            aws.xgboost_image,
        )
    from abalone_assets.serving.registry import ModelRegistry

    return ModelRegistry(ObjectStore(settings.registry_uri))


def open_model_packages(
    group: str, uri: str, instance_type: str, image: str
) -> ModelPackageRegistry:
    """The registry of a model package group.

    Args:
        group: Name of the group, or ``ssm:/path/name``.
        uri: ``s3://`` prefix of archives and documents, or ``ssm:/path/name``.
        instance_type: Instance type that the serving image is for.
        image: Image that serves the models; empty takes SageMaker's for XGBoost, whose container
            has NumPy, so that it answers for every framework.

    Raises:
        SettingsError: A parameter is missing or cannot be read.
    """
    from abalone_assets.aws.clients import client, region
    from abalone_assets.aws.images import image_uri
    from abalone_assets.aws.model_packages import ModelPackageRegistry
    from abalone_assets.aws.parameters import resolve

    def serving_image() -> str:
        return image_uri("xgboost", region=region(), instance_type=instance_type, override=image)

    return ModelPackageRegistry(
        resolve(group), ObjectStore(uri), client("sagemaker"), serving_image
    )


def live_version(settings: Settings) -> int | None:
    """The version that the endpoint serves or, in the profile local, should serve.

    Raises:
        EndpointError: AWS refuses to say.
        StorageError: The local endpoint's pointer is damaged.
    """
    if settings.profile == "aws":
        from abalone_assets.aws.clients import client
        from abalone_assets.aws.endpoint import live_version as live_on_sagemaker

        return live_on_sagemaker(settings.endpoint_name, client("sagemaker"))
    from abalone_assets.serving.pointer import read_pointer

    pointer = read_pointer(ObjectStore(settings.registry_uri), settings.endpoint_name)
    return None if pointer is None else pointer.version
