"""The gate, the model registry and the endpoint host: who decides, keeps and serves a model."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from abalone_assets.modeling.evaluation.gate import GateLimits
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from abalone_assets.registry.folder import FolderRegistry
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.serving.deployment import LocalEndpoint
    from abalone_assets.serving.endpoint import Endpoint


class Gate(dg.ConfigurableResource[None]):
    """What an evaluated model must keep to go to production."""

    limits: dict[str, Any] = Field(description="By name, as `GateLimits` has them.")

    def open(self) -> GateLimits:
        """The limits.

        Raises:
            GateError: One makes no sense.
        """
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
    timeout_seconds: float = Field(description="Longest wait for the server to take a version.")

    def open(self) -> "LocalEndpoint":
        """The endpoint, whether a server runs or not."""
        from abalone_assets.serving.deployment import LocalEndpoint

        return LocalEndpoint(
            self.registry.open(),
            self.endpoint_name,
            state_file=Path(self.state_file),
            timeout_seconds=self.timeout_seconds,
        )
