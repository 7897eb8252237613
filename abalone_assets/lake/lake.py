"""The lake: where each asset's objects lie, and the documents that say what they are made from.

``docs/architecture.md`` lists all of them.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TypeVar

from abalone_assets.errors import StorageError
from abalone_assets.lake.manifest_store import PARTS, read_manifest
from abalone_assets.lake.names import partition_column
from abalone_assets.lake.preparation import PREPARATION_KEY, Preparation, Written
from abalone_assets.lake.releases import BEGUN_KEY, RELEASE_KEY, BegunRelease, Release
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abalone_assets.lake.manifest import Manifest

_WRITTEN_ANEW: Final = (
    "was written again since this release prepared it, by another one, so what was made of it is"
    " dropped: launch the job `release`"
)
_Record = TypeVar("_Record")


def days_of_lost(
    store: ObjectStore, expected: Sequence[tuple[str, Sequence[str]]], prefixes: Sequence[str]
) -> list[str]:
    """The days, in order, of which an object is gone.

    Args:
        store: Holds the objects.
        expected: Each object's key, with the days that it is of.
        prefixes: All keys begin with one of these.

    Raises:
        StorageError: The store cannot be listed.
    """
    root = store.root
    if root is not None:  # where many small questions cost less than a listing
        gone = [days for key, days in expected if not os.path.isfile(f"{root}/{key}")]  # noqa: PTH113 - a path object for each costs five times the question
    else:
        found = {
            stored.key for prefix in (prefixes if expected else ()) for stored in store.list(prefix)
        }
        gone = [days for key, days in expected if key not in found]
    return sorted({day for days in gone for day in days})


class Lake:
    """The objects of every asset, below a folder or an ``s3://`` prefix."""

    def __init__(self, uri: str) -> None:
        self.store = ObjectStore(uri)

    def key(self, asset: str, partition: str | None = None, *, suffix: str = "parquet") -> str:
        """The object's key in the store."""
        folder = f"{partition_column(asset)}={partition}/" if partition else ""
        return f"{asset}/{folder}data.{suffix}"

    def uri(self, asset: str, partition: str | None = None, *, suffix: str = "parquet") -> str:
        """The object's path or ``s3://`` URI."""
        return self.store.uri_of(self.key(asset, partition, suffix=suffix))

    def folder_uri(self, asset: str) -> str:
        """The folder or prefix that holds all of an asset."""
        return self.store.uri_of(asset)

    def model_uri(self, recorded: str) -> str:
        """Where the archive of a trained model is, by the URI that a document has recorded.

        In a home that was moved, or copied back elsewhere, documents name the folder that it was
        in, where nothing may be any more, or another lake.
        """
        _, found, key = recorded.rpartition("/trained_model/")
        return self.store.uri_of(f"trained_model/{key}") if found else recorded

    def document(self, asset: str, kind: type[_Record]) -> _Record | None:
        """What an asset has left as a JSON document; None where there is none.

        Args:
            asset: Its name.
            kind: A dataclass, or ``dict[str, Any]``.

        Raises:
            StorageError: It cannot be read, or is none of that kind.
        """
        document = self.store.read_json(self.key(asset, suffix="json"))
        if document is None:
            return None
        place = self.uri(asset, suffix="json")
        return record_of(kind, document, place, remedy=f"materialize {asset} again")

    def manifest(self) -> Manifest:
        """What has been ingested, from the first survey day of the settings on.

        Moving that day forward takes days out of the next release, and moving it back takes them
        in again: their objects and entries stay.
        """
        return read_manifest(self.store).since(load_settings().first_survey_day.isoformat())

    def earlier_days(self) -> list[str]:
        """The days, in order, with rows that no release holds: before the first survey day."""
        first = load_settings().first_survey_day.isoformat()
        return [day for day in read_manifest(self.store).days_with_rows if day < first]

    def lost_days(self, manifest: Manifest) -> list[str]:
        """The days, in order, whose rows the manifest lists but whose objects are gone.

        So are those of a month whose part of the manifest is: nobody knows their files any more.

        Raises:
            StorageError: The lake cannot be listed.
        """
        expected = [
            (self.key(asset, day), [day])
            for day, summary in manifest.summaries.items()
            for asset, rows in (
                ("new_surveys", summary.rows),
                ("quarantined_rows", summary.quarantined),
            )
            if rows
        ]
        expected += manifest.days_by_part.items()
        return days_of_lost(self.store, expected, ("new_surveys/", "quarantined_rows/", PARTS))

    def lost_earlier_days(self) -> list[str]:
        """The days before the first survey day whose files nobody knows any more, in order.

        Their month's part of the manifest is lost, and with it stands still whatever else changes
        in that month.

        Raises:
            StorageError: The lake cannot be read.
        """
        first = load_settings().first_survey_day.isoformat()
        by_part = read_manifest(self.store).days_by_part
        earlier = {part: [day for day in days if day < first] for part, days in by_part.items()}
        gone = (part for part, days in earlier.items() if days and self.store.find(part) is None)
        return sorted(day for part in gone for day in earlier[part])

    def release(self) -> Release | None:
        """How the last release ended, or None before the first."""
        return self._record(RELEASE_KEY, Release)

    def record_release(self, release: Release) -> None:
        """Record that a release ended; nothing is released again until the manifest changes."""
        self.store.write_json(RELEASE_KEY, asdict(release))
        begun = self.begun_release()
        if begun is not None and begun.digest == release.digest:
            self.store.delete(BEGUN_KEY)

    def begun_release(self) -> BegunRelease | None:
        """The release that has begun and not come to its end; None when the last one has."""
        return self._record(BEGUN_KEY, BegunRelease)

    def begin_release(self, digest: str, run_id: str) -> None:
        """Record that a release of this content begins: one is due until one comes to its end.

        What counts is not only what was last finished. A release that fails half-way leaves rows
        and a version of its own behind, which stay when the surveys go back to what they were.
        """
        self.store.write_json(BEGUN_KEY, asdict(BegunRelease.now(digest, run_id)))

    def begin_preparation(self, digest: str, run_id: str) -> None:
        """Forget what ``merged_dataset`` was made from: it and its splits are written anew.

        That begins a release, unless the last one was of this very content and nothing has begun
        since: what is written then is what is there.
        """
        last = self.release()
        if last is None or last.digest != digest or self.begun_release() is not None:
            self.begin_release(digest, run_id)
        self.store.delete(PREPARATION_KEY)

    def preparation(self) -> Preparation:
        """What ``merged_dataset`` was made from.

        Raises:
            StorageError: There is no ``merged_dataset`` yet.
        """
        found = self._record(PREPARATION_KEY, Preparation)
        if found is None:
            uri = self.store.uri_of(PREPARATION_KEY)
            raise StorageError(f"{uri}: materialize merged_dataset first")
        return found

    def written(self, sha256: Mapping[str, str]) -> dict[str, Written]:
        """What a preparation has just written, by asset.

        Args:
            sha256: Of each asset that it wrote; empty where it does not say.

        Raises:
            StorageError: One of them is not there.
        """
        found = {asset: self.store.find(self.key(asset)) for asset in sha256}
        if gone := [asset for asset, stored in found.items() if stored is None]:
            raise StorageError(f"{self.uri(gone[0])}: no such object; launch the job `release`")
        return {asset: Written(each.e_tag, sha256[asset]) for asset, each in found.items() if each}

    @contextmanager
    def steady_splits(self) -> Iterator[Preparation]:
        """What the splits are of, as they stay from the beginning to the end of a block.

        A run that was asleep while another took the lake over may write its splits over theirs.

        Raises:
            StorageError: There are none yet, or they were written by another preparation.
        """
        preparation = self.preparation()
        self._require_splits_of(preparation)
        yield preparation
        if self.preparation() != preparation:
            raise StorageError(f"{self.uri('merged_dataset')} {_WRITTEN_ANEW}")
        self._require_splits_of(preparation)

    def _require_splits_of(self, preparation: Preparation) -> None:
        for asset, written in preparation.splits.items():
            if not self._is_as_written(self.key(asset), written):
                raise StorageError(f"{self.uri(asset)} {_WRITTEN_ANEW}")

    def _is_as_written(self, key: str, written: Written) -> bool:
        """Whether an object is what a preparation wrote: a copy of it has another token."""
        stored = self.store.find(key)
        if stored is None or stored.e_tag == written.e_tag:
            return stored is not None
        return bool(written.sha256) and self.store.sha256(key) == written.sha256

    def data_of(self, digest: str) -> dict[str, int | str | None] | None:
        """What ``merged_dataset`` holds, while it is made from what this digest stands for."""
        found = self._record(PREPARATION_KEY, Preparation)
        return found.data if found is not None and found.digest == digest else None

    def is_prepared_from(self, digest: str | None) -> bool:
        """Whether ``merged_dataset`` is made from what this manifest's digest stands for."""
        found = self._record(PREPARATION_KEY, Preparation)
        return found is not None and found.digest == digest

    def record_preparation(self, preparation: Preparation) -> None:
        """Record what ``merged_dataset`` was made from."""
        self.store.write_json(PREPARATION_KEY, asdict(preparation))

    def release_due(self, manifest: Manifest | None = None) -> bool:
        """Whether the lake holds anything that the last finished release was not made from.

        So it does, too, when another release has begun since and not come to its end.

        Args:
            manifest: What it holds, when that is known already.
        """
        release = self.release()
        if release is None or release.digest != (manifest or self.manifest()).digest:
            return True
        return self.begun_release() is not None

    def _record(self, key: str, kind: type[_Record]) -> _Record | None:
        document = self.store.read_json(key)
        if document is None:
            return None
        return record_of(
            kind, document, self.store.uri_of(key), remedy="delete it to make it again"
        )
