"""What every model registry can be asked and told: versions, and who approved or rejected each."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import AbaloneError, ModelArchiveError, StorageError
from abalone_assets.registry.notes import Noted
from abalone_assets.registry.overrides import Override
from abalone_assets.registry.versions import (
    ModelVersion,
    UnknownVersionError,
    desired_of,
    reference_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from abalone_assets.registry.notes import ReleaseNotes
    from abalone_assets.storage.object_store import ObjectStore, StoredObject

ANIMALS: Final = (
    "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15",
    "F,0.61,0.48,0.16,1.1,0.45,0.25,0.32",
    "I,0.33,0.255,0.08,0.205,0.0895,0.0395,0.055",
)
"""Sex and measurements of ordinary animals, one of each sex."""

TRAIN_AGAIN: Final = (
    "register the model again: delete its folder and launch the job `release` in the UI of "
    "`abalone dev`"
)
"""What to do about a version that was lost, as the second half of a sentence."""

REPLACE: Final = (
    f"approve another version with `abalone approve`; where there is none, {TRAIN_AGAIN}"
)
"""What to do about an archive that was lost and cannot be restored, likewise."""


class ModelRegistry(ABC):
    """Immutable, numbered versions of evaluated models, with the decisions on each.

    Attributes:
        store: Where archives and documents are kept.
    """

    store: ObjectStore

    @abstractmethod
    def register(
        self,
        archive: bytes,
        *,
        evaluation: Mapping[str, Any],
        decision: Mapping[str, Any],
        release_digest: str,
    ) -> ModelVersion:
        """Add a version, approved or not, unless the model has one that stands for it.

        That is the latest or the desired version while the gate decides as it did then, or one on
        which a person has spoken; see `versions.version_that_stands`. An archive trained again
        differs in its card's time, so models are told apart by the ``model_sha256`` of their
        evaluations, the digest of the model's file. Without one a version is always added.

        Args:
            archive: The bytes of ``model.tar.gz``.
            evaluation: The evaluation that the gate saw, and the probes: a JSON document.
            decision: What the gate decided, ``approved`` or not, and its ``reason``: a JSON
                document.
            release_digest: The digest of the data that the model was trained on.

        Raises:
            StorageError: The archive is empty, a document is not JSON, or the registry refuses.
            ModelArchiveError: The archive is damaged.
        """

    def versions(self) -> list[ModelVersion]:
        """Every version, oldest first, approved or not."""
        return [*self.newest_first()][::-1]

    @abstractmethod
    def newest_first(self, before: int | None = None) -> Iterator[ModelVersion]:
        """The versions, approved or not, each read when it is asked for.

        Args:
            before: Only those of a smaller number; all of them without it.
        """

    @abstractmethod
    def latest(self) -> ModelVersion | None:
        """The newest version, approved or not; None while there is none."""

    @abstractmethod
    def get(self, version: int) -> ModelVersion:
        """The version of that number, approved or not.

        Raises:
            UnknownVersionError: There is no such version.
            StorageError: Its record is damaged or lost.
        """

    @abstractmethod
    def tokens(self) -> dict[int, str]:
        """For each version what changes with every write of its record or of decisions on it.

        Cheap, however many versions there are: it reads none. A token is empty where nothing tells
        whether anything was written.
        """

    @abstractmethod
    def several(self, numbers: Collection[int]) -> Iterator[ModelVersion]:
        """The versions of these numbers, as far as there are any, newest first.

        Raises:
            StorageError: A record is damaged or lost.
        """

    @abstractmethod
    def candidates(self) -> list[ModelVersion]:
        """The versions on which it depends what should be live, oldest first.

        They are all on which a person has decided, and the newest that only the gate has approved.
        Few, however many versions there are: sensors ask for them all the time.
        """

    def note(self, version: ModelVersion, notes: ReleaseNotes) -> Noted:  # noqa: ARG002
        """Tell who looks at the registry with its own tools what a release knows of its version.

        It never raises and takes no long time: what could not be written is told.
        """
        return Noted()

    @abstractmethod
    def _record(self, version: ModelVersion, override: Override) -> None:
        """Keep a person's decision beside the version."""

    def archives(self) -> Mapping[int, StoredObject]:
        """The archives that may be removed one day, by version; none where others rely on them.

        Some may be of no version: of a registration that was cut short.
        """
        return {}

    def remove_archive(self, version: int) -> None:
        """Remove the archive of a version, whose record stays: it can never be deployed again.

        Raises:
            StorageError: The registry keeps all archives, or refuses.
        """
        raise StorageError(f"{self.store.uri}: version {version}: archives are kept here")

    def model_uri(self, version: int) -> str:
        """Path or ``s3://`` URI of a version's archive.

        Raises:
            StorageError: As `get`.
        """
        return self.store.uri_of(self.get(version).model_key)

    def can_serve(self, version: int) -> bool:
        """Whether there is such a version, and its archive is as it was registered."""
        try:
            self.read_model(version)
        except AbaloneError:
            return False
        return True

    def read_model(self, version: int) -> bytes:
        """The archive of a version, checked against its SHA-256.

        Raises:
            StorageError: There is no such version, or its archive was lost.
            ModelArchiveError: Its archive was altered.
        """
        known = self.get(version)
        self._require_archive(known)
        archive = self.store.read(known.model_key)
        found = hashlib.sha256(archive).hexdigest()
        if found != known.archive_sha256:
            raise ModelArchiveError(
                f"{self.store.uri_of(known.model_key)}: SHA-256 is {found}, registered was"
                f" {known.archive_sha256}; restore the archive, or delete it and {REPLACE}"
            )
        return archive

    def desired_version(self) -> ModelVersion | None:
        """The version that should be live: the approved one whose approval is the newest.

        None when none is approved.
        """
        return desired_of(self.candidates())

    def reference_version(self, champion: int) -> int | None:
        """The version against which a challenger must hold too, or the champion when it is that.

        It is found through the records of a few versions. Where somebody has deleted one of them,
        it is the newest version older than the champion that could be one.

        Returns:
            None when there is none; see `versions.reference_of`.

        Raises:
            UnknownVersionError: There is no such champion.
            StorageError: A record is damaged.
        """
        live = self.get(champion)
        try:
            found = reference_of(live, self.get)
        except UnknownVersionError:
            older = [each for each in self.versions() if each.version < champion]
            found = next((each for each in reversed(older) if each.may_be_reference), None)
        return None if found is None else found.version

    def probes(self, version: ModelVersion) -> list[tuple[str, float]]:
        """Requests that prove a deployment of the version: CSV lines, each with its rings.

        They are those of its evaluation. For a version that was registered before these were kept,
        its archive is asked about a few animals.

        Raises:
            StorageError: Its archive was lost.
            ModelArchiveError: Its archive was altered.
        """
        return version.probes or _ask_archive(self.read_model(version.version))

    def approve(
        self, version: int, *, because: str, by: str, at: datetime | None = None
    ) -> ModelVersion:
        """Record that a person approves a version, which makes it the desired one.

        A version that is desired by a person's approval already is left as it is.

        Returns:
            The version with the decision.

        Raises:
            UnknownVersionError: There is no such version.
            StorageError: Its archive is gone, or the decision cannot be kept.
        """
        known, desired = self.get(version), self.desired_version()
        is_desired = desired is not None and desired.version == version
        if known.last_override is not None and is_desired:
            return known
        self._require_archive(known)
        return self._decide(known, desired, approved=True, because=because, by=by, at=at)

    def reject(
        self, version: int, *, because: str, by: str, at: datetime | None = None
    ) -> ModelVersion:
        """Record that a person rejects a version, and with it this very model for ever.

        One that a person has rejected already is left as it is. Arguments, result and errors are
        those of `approve`.
        """
        known = self.get(version)
        if known.rejected_by_person:
            return known
        return self._decide(known, known, approved=False, because=because, by=by, at=at)

    def _require_archive(self, version: ModelVersion) -> None:
        if self.store.find(version.model_key) is None:
            raise StorageError(
                f"{self.store.uri_of(version.model_key)}: the archive of version {version.version} "
                "is gone, as those of old versions are some day (ABALONE_KEEP_VERSIONS); "
                f"restore it from a copy, or {REPLACE}"
            )

    def _decide(
        self,
        known: ModelVersion,
        newest: ModelVersion | None,
        *,
        approved: bool,
        because: str,
        by: str,
        at: datetime | None,
    ) -> ModelVersion:
        """Record a decision, no older than the approval that it overrules, be the clock late."""
        decided_at = (at or datetime.now(UTC)).astimezone(UTC)
        if newest is not None and newest.last_approval is not None:
            decided_at = max(decided_at, newest.last_approval + timedelta(microseconds=1))
        override = Override(approved, " ".join(because.split()), by, decided_at.isoformat())
        self._record(known, override)
        return self.get(known.version)


def require_json(evaluation: Mapping[str, Any], decision: Mapping[str, Any]) -> None:
    """Make sure that what a registration says of a model can be kept.

    Raises:
        StorageError: A document is not JSON.
    """
    for name, document in (("evaluation", evaluation), ("decision", decision)):
        try:
            json.dumps(dict(document), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise StorageError(f"the {name} is not a JSON document: {error}") from error


def _ask_archive(archive: bytes) -> list[tuple[str, float]]:
    """The animals as requests, each with the rings that the archive's model answers.

    Raises:
        ModelArchiveError: The archive is damaged.
    """
    from abalone_assets.modeling.archive import extract
    from abalone_assets.modeling.inference import input_fn, model_fn, output_fn, predict_fn

    with TemporaryDirectory() as folder:
        unpacked = Path(folder, "model")
        extract(archive, unpacked)
        model = model_fn(unpacked)
    answered = predict_fn(input_fn("\n".join(ANIMALS), "text/csv"), model)
    text, _ = output_fn(answered, "text/csv")
    return list(zip(ANIMALS, map(float, text.split()), strict=True))
