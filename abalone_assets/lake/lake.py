"""The lake: where each asset's objects lie, and the documents that say what they are made from.

::

    manifest.json                              what has been ingested, by survey day
    _manifest/2025-03.<digest>.json            and the files of each month's days
    release.json                               what the last finished release was made from
    release_begun.json                         a release that has begun and not come to its end
    release_lease.json                         which run may write what a release writes
    landing_zone/_looks.json                   what looks at the landing zone know of single files
    new_surveys/_accepted_files.json           which held survey files are accepted, by SHA-256
    synthetic_survey/_files.json               which survey files are simulations, by SHA-256
    merged_dataset/_released_files.2025-03.json  the first release of each of a month's files
    survey_synthesizer/_…                      fitted synthesizers, by what they were fitted on
    hyperparameter_study/_study.json           what the last search proposes; its trials lie beside
    evaluation/_reports/<model sha256>.html    the report of every evaluated model
    <asset>/data.parquet or <asset>/data.json  an unpartitioned asset
    <asset>/_…                                 what else is known of it: SQL engines skip such names
    <asset>/survey_day=2025-03-03/data.parquet one survey day of a partitioned asset
    merged_dataset/_inputs.json                what it was made from, see `lake.kept_inputs`
    _kept/…                                    of which this is what is no longer current
    merged_dataset/_keys.<version>-<digest>.npy  of rows that are kept, see `etl.kept_outputs`
    merged_dataset/_looked_at.json             which of them a check has read, see `etl.partition`
    model_versions/data.parquet                the records as tables, see `registry.record_tables`;
                                               model_metrics, model_decisions, released_files, too
    captured_requests/request_day=2025-03-03/data.parquet  what the endpoint was asked on a day
    captured_requests/_days.json               how many capture files were read of each day
    drift_report/_report.html                  the last drift report
    _animals/manifest.json                     what has been taken in of animals, by day
    _animals/_manifest/2025-03.<digest>.json   and the files of each month's days
    aged_animals/_days.json                    which content of which of these days was aged
    landing_zone/_animals_looks.json           what looks at the landing zone know of their files
    landing_zone/_animals_pending.json         which of their old days looks go on looking at
    alerts.json                                what people were told of and is not over
    trained_model/<job>/output/model.tar.gz    a model archive, as SageMaker lays it out
    _staged/…                                  what Spark has not finished, or a killed run left
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, Self, TypeVar

from abalone_assets.errors import StorageError
from abalone_assets.lake.manifest import Manifest
from abalone_assets.lake.manifest_store import PARTS, read_manifest
from abalone_assets.lake.names import partition_column
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Sequence

RELEASE_KEY: Final = "release.json"
BEGUN_KEY: Final = "release_begun.json"
PREPARATION_KEY: Final = "merged_dataset/_preparation.json"

_WRITTEN_ANEW: Final = (
    "was written again since this release prepared it, by another one, so what was made of it is"
    " dropped: launch the job `release`"
)
_Record = TypeVar("_Record")
Outcome = Literal["deployed", "rejected", "overruled"]


@dataclass(frozen=True)
class Release:
    """How the last release ended; one that failed on its way leaves no record.

    Attributes:
        digest: The manifest's digest that it was made from.
        outcome: Whether its model went to the endpoint; ``overruled`` when it was approved, but a
            person wants another version live.
        reason: The decision on its model in one sentence: the gate's, or a person's.
        version: The model version; None when none was registered.
        run_id: The Dagster run.
        finished_at: ISO time, UTC.
    """

    digest: str
    outcome: Outcome
    reason: str
    version: int | None
    run_id: str
    finished_at: str

    @classmethod
    def ended_now(
        cls, digest: str, outcome: Outcome, reason: str, version: int | None, run_id: str
    ) -> Self:
        """A release that comes to its end now."""
        return cls(digest, outcome, reason, version, run_id, _now())


@dataclass(frozen=True)
class BegunRelease:
    """A release that has begun to change what others see, and has not come to its end.

    Attributes:
        digest: The manifest's digest that it is made from.
        run_id: The Dagster run.
        begun_at: ISO time, UTC.
    """

    digest: str
    run_id: str
    begun_at: str


@dataclass(frozen=True)
class Written:
    """An object as a preparation wrote it.

    Attributes:
        e_tag: The store's token of that write.
        sha256: Of its bytes; empty where the engine, elsewhere, does not tell.
    """

    e_tag: str
    sha256: str = ""


@dataclass(frozen=True)
class Preparation:
    """What ``merged_dataset`` was made from.

    Attributes:
        digest: The manifest's digest.
        rows_ingested: Rows that the manifest lists.
        rows_in: Rows that the preparation read.
        repeats: Rows that it removed as exact repeats.
        days: Survey days with rows; None in a record of before these were kept, like their ends.
        first_day: The first of them, an ISO date; None when there is none.
        last_day: The last.
        engine: Name and version of what prepared; empty in a record of before.
        splits: Its splits as they were written, by name; none in a record of before.
    """

    digest: str
    rows_ingested: int
    rows_in: int
    repeats: int
    days: int | None = None
    first_day: str | None = None
    last_day: str | None = None
    engine: str = ""
    splits: Mapping[str, Written] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        *,
        rows_in: int,
        repeats: int,
        engine: str = "",
        splits: Mapping[str, Written] | None = None,
    ) -> Self:
        """What was made from a manifest."""
        days = manifest.days_with_rows
        first, last = (days[0], days[-1]) if days else (None, None)
        counted = (manifest.digest, manifest.rows, rows_in, repeats, len(days), first, last)
        return cls(*counted, engine, splits or {})

    @property
    def data(self) -> dict[str, int | str | None]:
        """What a version tells of the data that it was made from."""
        return {
            "rows": self.rows_ingested,
            "days": self.days,
            "first_day": self.first_day,
            "last_day": self.last_day,
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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
        self.store.write_json(BEGUN_KEY, asdict(BegunRelease(digest, run_id, _now())))

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
            stored = self.store.find(self.key(asset))
            if stored is None or stored.e_tag != written.e_tag:
                raise StorageError(f"{self.uri(asset)} {_WRITTEN_ANEW}")

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
