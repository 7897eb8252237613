"""Which release, and which model version, first learnt from a survey file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.lake.released_files import FirstRelease, first_release

if TYPE_CHECKING:
    from abalone_assets.ingest.file_status import FileStatus
    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.registry import ModelRegistry


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

    def to_document(self) -> dict[str, Any]:
        """It as a JSON document."""
        return asdict(self)


class FileReleases:
    """What the lake and the registry know of files and releases; what was found is remembered."""

    def __init__(self, lake: Lake, registry: ModelRegistry) -> None:
        self._lake = lake
        self._registry = registry
        self._versions: dict[str, int] = {}

    def of(self, file: FileStatus) -> FileRelease | None:
        """How far a file has come; None of one that adds nothing to a release.

        Raises:
            StorageError: The lake or the registry cannot be read.
        """
        if not _counts(file):
            return None
        first = self._first(file)
        if first is None:
            why = "no release has taken it in yet: the next one does"
            return FileRelease(released=False, why=why)
        if not first.digest:
            why = "in a release of before files were told apart"
            return FileRelease(released=True, why=why)
        number = self._version(first)
        if number is None:
            why = f"in the release of {first.at[:19]}, which has made no version of its own"
            return FileRelease(released=True, why=why, at=first.at)
        status = self._registry.get(number).status
        why = f"first in version {number}, {status}"
        return FileRelease(released=True, why=why, version=number, status=status, at=first.at)

    def version_of(self, file: FileStatus) -> int | None:
        """The first version that learnt from a file; None when there is none, or none is known.

        Raises:
            StorageError: The lake or the registry cannot be read.
        """
        first = self._first(file) if _counts(file) else None
        return self._version(first) if first is not None and first.digest else None

    def _first(self, file: FileStatus) -> FirstRelease | None:
        if file.ingested is None or file.day is None:
            return None
        return first_release(self._lake.store, file.day, file.name, file.ingested.sha256)

    def _version(self, first: FirstRelease) -> int | None:
        """The first version made from this data, not one of before it was prepared."""
        if first.digest not in self._versions:
            for version in self._registry.newest_first():
                if version.created_at < first.at:
                    break
                if version.release_digest == first.digest:
                    self._versions[first.digest] = version.version
        return self._versions.get(first.digest)


def _counts(file: FileStatus) -> bool:
    return file.state == "ingested" and bool(file.rows)
