"""The model registry of the profile in force, without Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from abalone_assets.registry.model_packages import ModelPackageRegistry
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.settings.platform import Settings


def open_registry(settings: Settings) -> ModelRegistry:
    """The model registry that the settings name.

    Raises:
        SettingsError: A setting or an SSM parameter is missing or cannot be read.
    """
    if settings.profile == "aws":
        from abalone_assets.settings.aws import load_aws_settings

        aws = load_aws_settings()
        return open_model_packages(
            aws.model_package_group,
            settings.registry_uri,
            aws.endpoint_instance_type,
            aws.xgboost_image,
            studio_notes=aws.studio_notes,
        )
    from abalone_assets.registry.folder import FolderRegistry

    return FolderRegistry(ObjectStore(settings.registry_uri))


def open_model_packages(
    group: str,
    uri: str,
    instance_type: str,
    image: str,
    *,
    studio_notes: bool,
) -> ModelPackageRegistry:
    """The registry of a model package group.

    Args:
        group: Name of the group, or ``ssm:/path/name``.
        uri: ``s3://`` prefix of archives and documents, or ``ssm:/path/name``.
        instance_type: Instance type that the serving image is for.
        image: Image that serves the models; empty takes SageMaker's for XGBoost, whose container
            has NumPy, so that it answers for every framework.
        studio_notes: Whether a version's model card and lineage are written, too.

    Raises:
        SettingsError: A parameter is missing or cannot be read.
    """
    from abalone_assets.aws.clients import client, region
    from abalone_assets.aws.images import image_uri
    from abalone_assets.aws.parameters import resolve
    from abalone_assets.registry.model_package_notes import CALL_SECONDS, StudioNotes
    from abalone_assets.registry.model_packages import ModelPackageRegistry

    def serving_image() -> str:
        return image_uri("xgboost", region=region(), instance_type=instance_type, override=image)

    name = resolve(group)
    courtesy = client("sagemaker", retries=False, read_seconds=CALL_SECONDS)
    studio = StudioNotes(name, courtesy) if studio_notes else None
    return ModelPackageRegistry(
        name, ObjectStore(uri), client("sagemaker"), serving_image, studio=studio
    )
