"""The model registry: immutable, numbered versions of approved model archives.

A version is two objects, ``versions/000001/model.tar.gz`` and ``versions/000001/version.json``.
The second is written last, so a registration that was cut short leaves no version behind for a
reader, only a number that is never used again.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import ModelArchiveError, StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.storage import ObjectStore

VERSIONS_PREFIX: Final = "versions/"
RECORD_NAME: Final = "version.json"
MAX_NUMBER_ATTEMPTS: Final = 100
_VERSION_KEY: Final = re.compile(re.escape(VERSIONS_PREFIX) + r"([0-9]{6,})/([^/]+)")


@dataclass(frozen=True)
class ModelVersion:
    """What the registry knows of one approved model.

    Attributes:
        version: Its number, from 1; numbers grow but may skip.
        archive_sha256: SHA-256 of the archive, in hexadecimal.
        created_at: When it was registered, ISO 8601 in UTC.
        evaluation: The evaluation that the gate saw.
        decision: What the gate decided, and why.
        release_digest: The digest of the data that the model was trained on.
        model_key: Key of the archive in the registry's store.
    """

    version: int
    archive_sha256: str
    created_at: str
    evaluation: dict[str, Any]
    decision: dict[str, Any]
    release_digest: str
    model_key: str


def read_archive(store: ObjectStore, entry: ModelVersion) -> bytes:
    """The archive of a version, checked against its SHA-256.

    Args:
        store: The registry's.
        entry: What the registry knows of the version.

    Raises:
        StorageError: It was lost.
        ModelArchiveError: It was altered.
    """
    archive = store.read(entry.model_key)
    found = hashlib.sha256(archive).hexdigest()
    if found != entry.archive_sha256:
        raise ModelArchiveError(
            f"{store.uri_of(entry.model_key)}: SHA-256 is {found}, registered was"
            f" {entry.archive_sha256}; restore the archive or register the model again"
        )
    return archive


class ModelRegistry:
    """The versions below a folder or an ``s3://`` prefix.

    Args:
        store: Where the versions, and the pointers of the endpoints, are kept.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def register(
        self,
        archive: bytes,
        *,
        evaluation: Mapping[str, Any],
        decision: Mapping[str, Any],
        release_digest: str,
        created_at: datetime,
    ) -> ModelVersion:
        """Add a version, unless the model is the latest version's: then that one is returned.

        So a release that is tried again, or that learnt nothing new, adds none. An archive trained
        again differs in its card's time, so models are told apart by the ``model_sha256`` of their
        evaluations, the digest of the model's file. Without one a version is always added.

        Args:
            archive: The bytes of ``model.tar.gz``.
            evaluation: The evaluation that the gate saw: a JSON document.
            decision: What the gate decided: a JSON document.
            release_digest: The digest of the data that the model was trained on.
            created_at: The time of the registration, with a time zone.

        Raises:
            StorageError: The archive is empty, ``created_at`` is naive, a document is not JSON, or
                the store refuses.
        """
        _check_registration(archive, evaluation, decision, created_at)
        latest = self.latest()
        if latest is not None and _is_model_of(latest, evaluation):
            return latest
        version, model_key = self._claim_number(archive)
        entry = ModelVersion(
            version=version,
            archive_sha256=hashlib.sha256(archive).hexdigest(),
            created_at=_utc_iso(created_at),
            evaluation=dict(evaluation),
            decision=dict(decision),
            release_digest=release_digest,
            model_key=model_key,
        )
        self.store.write_json(_record_key(version), asdict(entry), create_only=True)
        return entry

    def versions(self) -> list[ModelVersion]:
        """Every version, oldest first."""
        return [self.get(number) for number in self._numbers(RECORD_NAME)]

    def latest(self) -> ModelVersion | None:
        """The newest version, or None while there is none."""
        numbers = self._numbers(RECORD_NAME)
        return self.get(numbers[-1]) if numbers else None

    def get(self, version: int) -> ModelVersion:
        """The version of that number.

        Raises:
            StorageError: There is no such version, or its record is damaged.
        """
        document = self.store.read_json(_record_key(version))
        if document is None:
            known = ", ".join(map(str, self._numbers(RECORD_NAME))) or "none"
            raise StorageError(
                f"{self.store.uri}: no model version {version}; registered versions: {known}"
            )
        names = {field.name for field in fields(ModelVersion)}
        if not isinstance(document, dict) or set(document) != names:
            raise StorageError(
                f"{self.store.uri_of(_record_key(version))}: not the record of a model version;"
                " register the model again"
            )
        return ModelVersion(**document)

    def read_model(self, version: int) -> bytes:
        """The archive of a version, checked against its SHA-256.

        Raises:
            StorageError: There is no such version, or its archive was lost.
            ModelArchiveError: Its archive was altered.
        """
        return read_archive(self.store, self.get(version))

    def _numbers(self, object_name: str) -> list[int]:
        """The numbers below which an object of that name exists, ascending; skips strays."""
        keys = (_VERSION_KEY.fullmatch(stored.key) for stored in self.store.list(VERSIONS_PREFIX))
        return sorted(int(key[1]) for key in keys if key is not None and key[2] == object_name)

    def _claim_number(self, archive: bytes) -> tuple[int, str]:
        """Write the archive below the next number; whoever creates the object owns the number."""
        from abalone_assets.modeling.archive import ARCHIVE_NAME

        version = max(self._numbers(ARCHIVE_NAME), default=0) + 1
        for candidate in range(version, version + MAX_NUMBER_ATTEMPTS):
            key = f"{VERSIONS_PREFIX}{candidate:06d}/{ARCHIVE_NAME}"
            try:
                self.store.write(key, archive, create_only=True)
            except StorageError:
                if self.store.find(key) is None:
                    raise
                continue
            return candidate, key
        raise StorageError(
            f"{self.store.uri}: lost {MAX_NUMBER_ATTEMPTS} races for a version number; try again"
        )


def _record_key(version: int) -> str:
    return f"{VERSIONS_PREFIX}{version:06d}/{RECORD_NAME}"


def _is_model_of(version: ModelVersion, evaluation: Mapping[str, Any]) -> bool:
    digest = evaluation.get("model_sha256")
    return digest is not None and version.evaluation.get("model_sha256") == digest


def _utc_iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _check_registration(
    archive: bytes,
    evaluation: Mapping[str, Any],
    decision: Mapping[str, Any],
    created_at: datetime,
) -> None:
    if not archive:
        raise StorageError("an empty model archive cannot be registered; train the model again")
    if created_at.tzinfo is None:
        raise StorageError(f"created_at {created_at} has no time zone; pass an aware datetime")
    for name, document in (("evaluation", evaluation), ("decision", decision)):
        try:
            json.dumps(dict(document), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise StorageError(f"the {name} is not a JSON document: {error}") from error
