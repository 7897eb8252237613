"""The model registry: immutable, numbered versions of evaluated model archives.

A version is two objects, ``versions/000001/model.tar.gz`` and ``versions/000001/version.json``.
The second is written last, so a registration that was cut short leaves no version behind for a
reader, only a number that is never used again. What people decide on a version is a third one,
``versions/000001/overrides.json``, the only one that changes.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.registry.approvals import ApprovalRegistry
from abalone_assets.registry.overrides import append_override, read_overrides
from abalone_assets.registry.versions import ModelVersion, UnknownVersionError, version_that_stands

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.registry.overrides import Override
    from abalone_assets.storage.object_store import ObjectStore

VERSIONS_PREFIX: Final = "versions/"
RECORD_NAME: Final = "version.json"
OVERRIDES_NAME: Final = "overrides.json"
MAX_NUMBER_ATTEMPTS: Final = 100
_VERSION_KEY: Final = re.compile(re.escape(VERSIONS_PREFIX) + r"([0-9]{6,})/([^/]+)")
_RECORDED: Final = {field.name for field in fields(ModelVersion)} - {"overrides"}


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


class ModelRegistry(ApprovalRegistry):
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
        """Add a version, approved or not, unless the model has one that stands for it.

        That is the latest or the desired version while the gate decides as it did then, or one on
        which a person has spoken; see `versions.version_that_stands`. An archive trained again
        differs in its card's time, so models are told apart by the ``model_sha256`` of their
        evaluations, the digest of the model's file. Without one a version is always added.

        Args:
            archive: The bytes of ``model.tar.gz``.
            evaluation: The evaluation that the gate saw, and the probes: a JSON document.
            decision: What the gate decided, ``approved`` or not: a JSON document.
            release_digest: The digest of the data that the model was trained on.
            created_at: The time of the registration, with a time zone.

        Raises:
            StorageError: The archive is empty, ``created_at`` is naive, a document is not JSON, or
                the store refuses.
        """
        _check_registration(archive, evaluation, decision, created_at)
        known = version_that_stands(evaluation, decision, self.latest(), self.contenders())
        if known is not None:
            return known
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
        record = {name: value for name, value in asdict(entry).items() if name in _RECORDED}
        self.store.write_json(_key(version, RECORD_NAME), record, create_only=True)
        return entry

    def versions(self) -> list[ModelVersion]:
        """Every version, oldest first, approved or not."""
        return [self.get(number) for number in self._numbers(RECORD_NAME)]

    def contenders(self) -> list[ModelVersion]:
        """All versions on which people decided, and the newest that only the gate approved."""
        numbers = self._numbers(RECORD_NAME)
        overridden = {*self._numbers(OVERRIDES_NAME)} & {*numbers}
        contenders = [self.get(number) for number in overridden]
        for number in reversed(numbers):
            if number not in overridden and (version := self.get(number)).approved:
                contenders.append(version)
                break
        return sorted(contenders, key=lambda version: version.version)

    def latest(self) -> ModelVersion | None:
        """The newest version, approved or not; None while there is none."""
        numbers = self._numbers(RECORD_NAME)
        return self.get(numbers[-1]) if numbers else None

    def get(self, version: int) -> ModelVersion:
        """The version of that number, approved or not.

        Raises:
            UnknownVersionError: There is no such version.
            StorageError: Its record is damaged.
        """
        document = self.store.read_json(_key(version, RECORD_NAME))
        if document is None:
            known = ", ".join(map(str, self._numbers(RECORD_NAME))) or "none"
            raise UnknownVersionError(
                f"{self.store.uri}: no model version {version}; registered versions: {known}"
            )
        if not isinstance(document, dict) or set(document) != _RECORDED:
            raise StorageError(
                f"{self.store.uri_of(_key(version, RECORD_NAME))}: not the record of a model"
                " version; register the model again"
            )
        overrides = read_overrides(self.store, _key(version, OVERRIDES_NAME))
        return ModelVersion(**document, overrides=overrides)

    def read_model(self, version: int) -> bytes:
        """The archive of a version, checked against its SHA-256.

        Raises:
            StorageError: There is no such version, or its archive was lost.
            ModelArchiveError: Its archive was altered.
        """
        return read_archive(self.store, self.get(version))

    def _record(self, version: ModelVersion, override: Override) -> None:
        append_override(self.store, _key(version.version, OVERRIDES_NAME), override)

    def _numbers(self, object_name: str) -> list[int]:
        """The numbers below which an object of that name exists, ascending; skips strays."""
        keys = (_VERSION_KEY.fullmatch(stored.key) for stored in self.store.list(VERSIONS_PREFIX))
        return sorted(int(key[1]) for key in keys if key is not None and key[2] == object_name)

    def _claim_number(self, archive: bytes) -> tuple[int, str]:
        """Write the archive below the next number; whoever creates the object owns the number."""
        from abalone_assets.modeling.archive import ARCHIVE_NAME

        version = max(self._numbers(ARCHIVE_NAME), default=0) + 1
        for candidate in range(version, version + MAX_NUMBER_ATTEMPTS):
            key = _key(candidate, ARCHIVE_NAME)
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


def _key(version: int, object_name: str) -> str:
    return f"{VERSIONS_PREFIX}{version:06d}/{object_name}"


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
