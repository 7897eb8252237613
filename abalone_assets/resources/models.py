"""The gate, the model registry and the endpoint host: who decides, keeps and serves a model."""

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from abalone_assets.storage import ObjectStore, locate

if TYPE_CHECKING:
    from abalone_assets.modeling.gate import Decision
    from abalone_assets.serving.deployment import Deployment
    from abalone_assets.serving.registry import ModelRegistry, ModelVersion


class Gate(dg.ConfigurableResource[None]):
    """Decides whether an evaluated model may go to production."""

    max_rmse: float = Field(description="Largest RMSE, in rings, on the test split.")
    champion_tolerance: float = Field(
        description="How much worse than the champion's RMSE on the same rows, as a share of it."
    )

    def decide(self, evaluation: dict[str, Any]) -> "Decision":
        """Approve or reject, with the reason in one sentence."""
        from abalone_assets.modeling.gate import decide

        return decide(
            evaluation, max_rmse=self.max_rmse, champion_tolerance=self.champion_tolerance
        )


class ModelRegistryResource(dg.ConfigurableResource[None]):
    """Immutable model versions at a folder or an ``s3://`` prefix."""

    uri: str = Field(description="Folder's path or s3:// prefix.")

    def open(self) -> "ModelRegistry":
        """The registry, opened now."""
        from abalone_assets.serving.registry import ModelRegistry

        return ModelRegistry(ObjectStore(self.uri))

    def model_uri(self, version: int) -> str:
        """Path or ``s3://`` URI of a version's archive."""
        registry = self.open()
        return registry.store.uri_of(registry.get(version).model_key)

    def register(
        self,
        model_uri: str,
        *,
        evaluation: dict[str, Any],
        decision: dict[str, Any],
        release_digest: str,
    ) -> "ModelVersion":
        """Make the archive a version, as `ModelRegistry.register` does.

        Raises:
            StorageError: The archive cannot be read.
        """
        store, key = locate(model_uri)
        return self.open().register(
            store.read(key),
            evaluation=evaluation,
            decision=decision,
            release_digest=release_digest,
            created_at=datetime.now(UTC),
        )


class EndpointHost(dg.ConfigurableResource[None], ABC):
    """Serves one model version at a time."""

    endpoint_name: str = Field(description="Name of the endpoint.")

    @abstractmethod
    def live_version(self) -> int | None:
        """The version that the endpoint serves or should serve: the champion."""

    @abstractmethod
    def deploy(self, version: int, probes: list[tuple[str, float]]) -> "Deployment":
        """Serve this version, prove it by real invocations, or go back to the one before.

        Args:
            version: A registered version.
            probes: Requests as CSV lines, each with the rings that the model must answer.

        Raises:
            EndpointError: The version was refused or answered wrongly; the old one serves.
        """


class LocalEndpointHost(EndpointHost):
    """The server of ``abalone serve``, told through a pointer in the registry's store."""

    registry: ModelRegistryResource
    state_file: str = Field(description="File in which a running server says its address.")
    timeout_seconds: float = Field(description="Longest wait for the server to take a version.")

    def live_version(self) -> int | None:
        """The version that the pointer names."""
        from abalone_assets.serving.pointer import read_pointer

        pointer = read_pointer(self.registry.open().store, self.endpoint_name)
        return pointer.version if pointer else None

    def deploy(self, version: int, probes: list[tuple[str, float]]) -> "Deployment":
        """Publish the version; a running server swaps to it and is asked the probes."""
        from abalone_assets.serving.deployment import deploy

        return deploy(
            self.registry.open(),
            self.endpoint_name,
            version,
            probes,
            state_file=Path(self.state_file),
            timeout_seconds=self.timeout_seconds,
        )
