"""Which release, and which model version, first learnt from a survey file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.lake.released_files import FirstRelease, first_release

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        self._versions: dict[FirstRelease, int] = {}

    def of_all(self, files: Sequence[FileStatus]) -> list[FileRelease | None]:
        """The same of many files, for one walk through the versions.

        Raises:
            StorageError: The lake or the registry cannot be read.
        """
        firsts = [self._first(file) if _counts(file) else None for file in files]
        versions = self._versions_of(firsts)
        return [
            self._release(first, version) if _counts(file) else None
            for file, first, version in zip(files, firsts, versions, strict=True)
        ]

    def of(self, file: FileStatus) -> FileRelease | None:
        """How far a file has come; None of one that adds nothing to a release.

        Raises:
            StorageError: The lake or the registry cannot be read.
        """
        return self.of_all([file])[0]

    def _release(self, first: FirstRelease | None, number: int | None) -> FileRelease:
        if first is None:
            why = "no release has taken it in yet: the next one does"
            return FileRelease(released=False, why=why)
        if not first.digest:
            why = "in a release of before files were told apart"
            return FileRelease(released=True, why=why)
        if number is None:
            at = first.at[:19].replace("T", " ")  # it may be running, or have failed
            why = f"in the release prepared at {at} UTC; no version of it is registered yet"
            return FileRelease(released=True, why=why, at=first.at)
        status = self._registry.get(number).status
        why = f"first in version {number}, {status}"
        return FileRelease(released=True, why=why, version=number, status=status, at=first.at)

    def versions_of(self, files: Sequence[FileStatus]) -> list[int | None]:
        """The first version that learnt from each file; None when there is none, or none is known.

        Raises:
            StorageError: The lake or the registry cannot be read.
        """
        return self._versions_of([self._first(file) if _counts(file) else None for file in files])

    def _first(self, file: FileStatus) -> FirstRelease | None:
        if file.ingested is None or file.day is None:
            return None
        return first_release(self._lake.store, file.day, file.name, file.ingested.sha256)

    def _versions_of(self, firsts: Sequence[FirstRelease | None]) -> list[int | None]:
        """The first version made from the data of each, not one of before it was prepared.

        Those that have none are looked for again the next time, all in one walk.
        """
        told = {first for first in firsts if first is not None and first.digest}
        sought = {first for first in told if first not in self._versions}
        oldest = min((first.at for first in sought), default="")
        for version in self._registry.newest_first() if sought else ():
            if version.created_at < oldest:
                break
            for first in sought:
                if version.created_at >= first.at and version.release_digest in first.digests:
                    self._versions[first] = version.version
        return [None if first is None else self._versions.get(first) for first in firsts]


def _counts(file: FileStatus) -> bool:
    return file.state == "ingested" and bool(file.rows)
