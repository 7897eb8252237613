"""Which release, and which model version, first learnt from a survey file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.lake.released_files import first_release

if TYPE_CHECKING:
    from abalone_assets.ingest.file_status import FileStatus
    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion


@dataclass(frozen=True)
class FileRelease:
    """How far a survey file has come on its way into a model.

    Attributes:
        released: Whether a release has taken it in as it is.
        why: That in a sentence.
        version: The version of that release, or None.
        status: By whose word that version is approved or rejected, or None.
        at: When the release's data was prepared, ISO time in UTC, or None.
    """

    released: bool
    why: str
    version: int | None = None
    status: str | None = None
    at: str | None = None

    @classmethod
    def of(cls, file: FileStatus, lake: Lake, registry: ModelRegistry) -> FileRelease | None:
        """What the lake and the registry know; None of a file that adds nothing to a release.

        Raises:
            StorageError: One of them cannot be read.
        """
        if file.state != "ingested" or file.ingested is None or file.day is None or not file.rows:
            return None
        first = first_release(lake.store, file.day, file.name, file.ingested.sha256)
        if first is None:
            return cls(released=False, why="no release has taken it in yet: the next one does")
        if not first.digest:
            return cls(released=True, why="in a release of before files were told apart")
        version = _version_of(registry, first.digest, first.at)
        if version is None:
            why = f"in the release of {first.at[:19]}, which has made no version of its own"
            return cls(released=True, why=why, at=first.at)
        why = f"first in version {version.version}, {version.status}"
        return cls(
            released=True, why=why, version=version.version, status=version.status, at=first.at
        )

    def to_document(self) -> dict[str, Any]:
        """It as a JSON document."""
        return asdict(self)


def _version_of(registry: ModelRegistry, digest: str, since: str) -> ModelVersion | None:
    """The first version made from this data; none that was registered before it was prepared is."""
    found = None
    for version in registry.newest_first():
        if version.created_at < since:
            break
        if version.release_digest == digest:
            found = version
    return found
