"""Which model version the endpoint of the profile in force serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from abalone_assets.settings.platform import Settings


def live_version(settings: Settings) -> int | None:
    """The version that the endpoint serves or, in the profile local, should serve.

    Raises:
        EndpointError: AWS refuses to say.
        StorageError: The local endpoint's pointer is damaged.
    """
    if settings.profile == "aws":
        from abalone_assets.aws.clients import client
        from abalone_assets.serving.sagemaker.endpoint import live_version as live_on_sagemaker

        return live_on_sagemaker(settings.endpoint_name, client("sagemaker"))
    from abalone_assets.serving.pointer import read_pointer

    pointer = read_pointer(ObjectStore(settings.registry_uri), settings.endpoint_name)
    return None if pointer is None else pointer.version
