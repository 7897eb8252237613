"""The gate, the model registry and the endpoint host: who decides, keeps and serves a model."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from abalone_assets.storage.object_store import ObjectStore, locate

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.gate import Decision
    from abalone_assets.registry.approvals import ApprovalRegistry
    from abalone_assets.registry.folder import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.serving.deployment import Deployment


class Gate(dg.ConfigurableResource[None]):
    """Decides whether an evaluated model may go to production."""

    max_rmse: float = Field(description="Largest RMSE, in rings, on the test split.")
    champion_tolerance: float = Field(
        description="How much worse than the champion counts as equal, as a share of its RMSE."
    )
    slice_tolerance: float = Field(description="The same for one sex or one age band.")
    min_rows: int = Field(description="Fewest test rows that can approve a model.")
    min_slice_rows: int = Field(description="Fewest rows by which a slice is judged.")

    def decide(self, evaluation: dict[str, Any]) -> "Decision":
        """Approve or reject, with the reason in one sentence.

        Raises:
            GateError: A limit makes no sense.
        """
        from abalone_assets.modeling.evaluation.gate import GateLimits, decide

        limits = GateLimits(
            max_rmse=self.max_rmse,
            champion_tolerance=self.champion_tolerance,
            slice_tolerance=self.slice_tolerance,
            min_rows=self.min_rows,
            min_slice_rows=self.min_slice_rows,
        )
        return decide(evaluation, limits)


class ModelRegistryResource(dg.ConfigurableResource[None], ABC):
    """Keeps immutable, numbered versions of evaluated models, and who approved or rejected each."""

    @abstractmethod
    def open(self) -> "ApprovalRegistry":
        """The registry, opened now."""

    @abstractmethod
    def model_uri(self, version: int) -> str:
        """Path or ``s3://`` URI of a version's archive.

        Raises:
            StorageError: There is no such version.
        """

    @abstractmethod
    def register(
        self,
        model_uri: str,
        *,
        evaluation: dict[str, Any],
        decision: dict[str, Any],
        release_digest: str,
    ) -> "ModelVersion":
        """Make the archive a version, approved or not, unless one stands for this very model.

        A model that a person has rejected keeps its version, and stays rejected.

        Args:
            model_uri: The archive.
            evaluation: The evaluation that the gate saw, with the probes of a deployment.
            decision: What the gate decided.
            release_digest: The digest of the data that the model was trained on.

        Raises:
            StorageError: The archive cannot be read.
        """

    def versions(self) -> "list[ModelVersion]":
        """Every version, oldest first, approved or not."""
        return self.open().versions()

    def get(self, version: int) -> "ModelVersion":
        """The version of that number, approved or not.

        Raises:
            UnknownVersionError: There is no such version.
        """
        return self.open().get(version)

    def contenders(self) -> "list[ModelVersion]":
        """The versions on which it depends what should be live, oldest first; they are few."""
        return self.open().contenders()

    def desired_version(self) -> "ModelVersion | None":
        """The approved version whose approval is the newest, or None when none is approved."""
        return self.open().desired_version()

    def reference_version(self, champion: int) -> int | None:
        """The version against which a challenger must hold, beside the champion or as the champion.

        It is the last that was approved as more than just as good as its champion; see
        `ApprovalRegistry.reference_version`. None when there is none.
        """
        return self.open().reference_version(champion)

    def probes(self, version: "ModelVersion") -> list[tuple[str, float]]:
        """Requests that prove a deployment of the version: CSV lines, each with its rings."""
        return self.open().probes(version)

    def approve(self, version: int, *, because: str, by: str) -> "ModelVersion":
        """Record that a person approves a version; see `ApprovalRegistry.approve`."""
        return self.open().approve(version, because=because, by=by)

    def reject(self, version: int, *, because: str, by: str) -> "ModelVersion":
        """Record that a person rejects a version; see `ApprovalRegistry.reject`."""
        return self.open().reject(version, because=because, by=by)


class LocalModelRegistry(ModelRegistryResource):
    """Versions at a folder or an ``s3://`` prefix."""

    uri: str = Field(description="Folder's path or s3:// prefix.")

    def open(self) -> "ModelRegistry":
        """The registry, opened now."""
        from abalone_assets.registry.folder import ModelRegistry

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
        """Make the archive a version, as `ModelRegistry.register` does."""
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
    def deploy(
        self, version: int, probes: list[tuple[str, float]], on_progress: Callable[[str], None]
    ) -> "Deployment":
        """Serve this version, prove it by real invocations, or go back to the one before.

        Args:
            version: A registered version.
            probes: Requests as CSV lines, each with the rings that the model must answer.
            on_progress: Told what is going on, a sentence at a time.

        Raises:
            EndpointError: The version was refused or answered wrongly; the old one serves.
        """


class LocalEndpointHost(EndpointHost):
    """The server of ``abalone serve``, told through a pointer in the registry's store."""

    registry: LocalModelRegistry
    state_file: str = Field(description="File in which a running server says its address.")
    timeout_seconds: float = Field(description="Longest wait for the server to take a version.")

    def live_version(self) -> int | None:
        """The version that the pointer names."""
        from abalone_assets.serving.pointer import read_pointer

        pointer = read_pointer(self.registry.open().store, self.endpoint_name)
        return pointer.version if pointer else None

    def deploy(
        self,
        version: int,
        probes: list[tuple[str, float]],
        on_progress: Callable[[str], None],  # noqa: ARG002 - it takes a second
    ) -> "Deployment":
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
