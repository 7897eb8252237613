"""The model registry in a folder or below an ``s3://`` prefix.

A version is two objects, ``versions/000001/model.tar.gz`` and ``versions/000001/version.json``.
The second is written last, so a registration that was cut short leaves no version behind for a
reader, only a number that is never used again. What people decide on a version is a third one,
``versions/000001/overrides.json``, the only one that changes.

``last_version.json`` is the largest number that was given: endpoints, ages and captured requests
name a version by its number, also when its folder is lost.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import StorageError
from abalone_assets.registry.overrides import append_override, read_overrides
from abalone_assets.registry.registry import TRAIN_AGAIN, ModelRegistry, require_json
from abalone_assets.registry.versions import ModelVersion, UnknownVersionError, version_that_stands
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from abalone_assets.registry.overrides import Override
    from abalone_assets.storage.object_store import ObjectStore, StoredObject

LAST_NAME: Final = "last_version.json"
VERSIONS_PREFIX: Final = "versions/"
RECORD_NAME: Final = "version.json"
OVERRIDES_NAME: Final = "overrides.json"
MAX_NUMBER_ATTEMPTS: Final = 100
_VERSION_KEY: Final = re.compile(re.escape(VERSIONS_PREFIX) + r"([0-9]{6,})/([^/]+)")


class FolderRegistry(ModelRegistry):
    """The versions below a folder or an ``s3://`` prefix."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def register(
        self,
        archive: bytes,
        *,
        evaluation: Mapping[str, Any],
        decision: Mapping[str, Any],
        release_digest: str,
    ) -> ModelVersion:
        """Write the archive, then the record that makes it a version."""
        if not archive:
            raise StorageError(
                "an empty model archive cannot be registered; train the model again: launch the"
                " job `release`"
            )
        require_json(evaluation, decision)
        known = version_that_stands(evaluation, decision, self.latest(), self.candidates())
        if known is not None:
            return known
        version, model_key = self._claim_number(archive)
        entry = ModelVersion(
            version=version,
            archive_sha256=hashlib.sha256(archive).hexdigest(),
            created_at=datetime.now(UTC).isoformat(),
            evaluation=dict(evaluation),
            decision=dict(decision),
            release_digest=release_digest,
            model_key=model_key,
        )
        record = asdict(entry)
        del record["overrides"]
        self.store.write_json(_key(version, RECORD_NAME), record, create_only=True)
        return entry

    def newest_first(self, before: int | None = None) -> Iterator[ModelVersion]:
        """The versions; one listing tells their numbers."""
        numbers = self._numbers(RECORD_NAME)
        return (self.get(n) for n in reversed(numbers) if before is None or n < before)

    def tokens(self) -> dict[int, str]:
        """The write tokens of a version's two documents; one listing tells them."""
        found: dict[int, dict[str, str]] = {}
        for stored in self._listed():
            key = _VERSION_KEY.fullmatch(stored.key)
            if key is not None and key[2] in {RECORD_NAME, OVERRIDES_NAME}:
                found.setdefault(int(key[1]), {})[key[2]] = stored.e_tag
        return {
            number: f"{tokens[RECORD_NAME]} {tokens.get(OVERRIDES_NAME, '')}"
            for number, tokens in sorted(found.items())
            if RECORD_NAME in tokens
        }

    def several(self, numbers: Collection[int]) -> Iterator[ModelVersion]:
        """The versions of these numbers."""
        known = self._numbers(RECORD_NAME)
        return (self.get(number) for number in reversed(known) if number in numbers)

    def candidates(self) -> list[ModelVersion]:
        """All versions on which people decided, and the newest that only the gate approved."""
        numbers = self._numbers(RECORD_NAME)
        overridden = {*self._numbers(OVERRIDES_NAME)} & {*numbers}
        candidates = [self.get(number) for number in overridden]
        for number in reversed(numbers):
            if number not in overridden and (version := self.get(number)).approved:
                candidates.append(version)
                break
        return sorted(candidates, key=lambda version: version.version)

    def latest(self) -> ModelVersion | None:
        """The newest version."""
        numbers = self._numbers(RECORD_NAME)
        return self.get(numbers[-1]) if numbers else None

    def get(self, version: int) -> ModelVersion:
        """The version of that number."""
        key = _key(version, RECORD_NAME)
        document = self.store.read_json(key)
        if document is None:
            known = ", ".join(map(str, self._numbers(RECORD_NAME))) or "none"
            raise UnknownVersionError(
                f"{self.store.uri}: no model version {version}; registered versions: {known}"
            )
        recorded = record_of(
            ModelVersion,
            document,
            self.store.uri_of(key),
            remedy=f"restore it from a copy, or {TRAIN_AGAIN}",
        )
        overrides = read_overrides(self.store, _key(version, OVERRIDES_NAME))
        return replace(recorded, overrides=overrides)

    def archives(self) -> dict[int, StoredObject]:
        """The archives, by version."""
        from abalone_assets.modeling.archive import ARCHIVE_NAME

        found = ((_VERSION_KEY.fullmatch(each.key), each) for each in self._listed())
        return {int(key[1]): each for key, each in found if key and key[2] == ARCHIVE_NAME}

    def remove_archive(self, version: int) -> None:
        """Remove the archive of a version; its record stays."""
        from abalone_assets.modeling.archive import ARCHIVE_NAME

        self.store.delete(_key(version, ARCHIVE_NAME))

    def _record(self, version: ModelVersion, override: Override) -> None:
        append_override(self.store, _key(version.version, OVERRIDES_NAME), override)

    def _numbers(self, object_name: str) -> list[int]:
        """The numbers below which an object of that name exists, ascending; skips strays."""
        keys = (_VERSION_KEY.fullmatch(stored.key) for stored in self._listed())
        return sorted(int(key[1]) for key in keys if key is not None and key[2] == object_name)

    def _listed(self) -> Iterator[StoredObject]:
        return self.store.list(VERSIONS_PREFIX)

    def _claim_number(self, archive: bytes) -> tuple[int, str]:
        """Write the archive below the next number; whoever creates the object owns the number."""
        from abalone_assets.modeling.archive import ARCHIVE_NAME

        used = [*self._numbers(ARCHIVE_NAME), *self._numbers(RECORD_NAME)]
        version = max([self._last_given(), *used]) + 1
        for candidate in range(version, version + MAX_NUMBER_ATTEMPTS):
            key = _key(candidate, ARCHIVE_NAME)
            try:
                self.store.write(key, archive, create_only=True)
            except StorageError:
                if self.store.find(key) is None:
                    raise
                continue
            self._keep_last_given(candidate)
            return candidate, key
        raise StorageError(
            f"{self.store.uri}: lost {MAX_NUMBER_ATTEMPTS} races for a version number; try again"
        )

    def _last_given(self) -> int:
        found, place = self.store.read_json(LAST_NAME), self.store.uri_of(LAST_NAME)
        return 0 if found is None else record_of(int, found, place, remedy="delete it")

    def _keep_last_given(self, number: int) -> None:
        self.store.update_json(LAST_NAME, lambda last: max(last or 0, number))


def _key(version: int, object_name: str) -> str:
    return f"{VERSIONS_PREFIX}{version:06d}/{object_name}"
