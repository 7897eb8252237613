"""Which release each survey file was first a part of, with the bytes that it has.

``prepare`` records it when ``merged_dataset`` is made, since nothing else tells later: a version
knows the digest of its data and no file. What is kept of a month is written again only when one of
its days has changed, so a release pays for what came since the one before it. A release that ends
without a version leaves its files to the next one, which adds its digest to theirs.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from abalone_assets.errors import DamagedError
from abalone_assets.lake.manifest import month_of
from abalone_assets.lake.releases import RELEASE_KEY
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.lake.manifest import Manifest
    from abalone_assets.storage.object_store import ObjectStore

HEAD_KEY: Final = "merged_dataset/_released_files.json"
FORMAT: Final = 1
_MONTH_KEY: Final = re.compile(r"merged_dataset/_released_files\.(\d{4}-\d{2})\.json")

REMEMBERED_MONTHS: Final = 24

_Record = TypeVar("_Record")


@dataclass(frozen=True)
class FirstRelease:
    """The first release that a survey file was a part of, as it is.

    Attributes:
        sha256: Digest of the file's bytes.
        digest: Of the release's data, by which its version is found; empty when the file was in an
            earlier release already, of the time before this was recorded.
        at: When its data was prepared, ISO time in UTC.
        then: Digests of the next releases, up to the one that came to its end with a version.
    """

    sha256: str
    digest: str
    at: str
    then: tuple[str, ...] = ()

    @property
    def digests(self) -> tuple[str, ...]:
        """Of all of them: the first version made from one of these learnt from the file."""
        return (self.digest, *self.then) if self.digest else ()

    def tried_again(self, digest: str, ended_at: str) -> FirstRelease:
        """It, with the digest of one more release, unless one has ended since it was noted."""
        known = not self.digest or self.at <= ended_at or digest in self.digests
        return self if known else replace(self, then=(*self.then, digest))


@dataclass(frozen=True)
class _Head:
    """For each month a digest of what its days held when they were recorded last.

    Attributes:
        format: Of the document.
        months: The digests.
        at: When this was recorded, ISO time in UTC; empty in a record of before that was kept.
        waiting: Months with files of which no release had come to its end with a version.
    """

    format: int = FORMAT
    months: dict[str, str] = field(default_factory=dict)
    at: str = ""
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Month:
    """The files of a month by name: a name tells its day."""

    format: int = FORMAT
    files: dict[str, FirstRelease] = field(default_factory=dict)


@dataclass(frozen=True)
class _Release:
    """What counts here of how the last release ended."""

    finished_at: str
    version: int | None


@dataclass(frozen=True)
class _Preparation:
    """What is recorded: of which digest its new files are, when, and when a release ended."""

    manifest: Manifest
    digest: str
    at: str
    ended_at: str


_remembered: Final[dict[tuple[str, str], tuple[str, _Month | None]]] = {}


def record_released_files(store: ObjectStore, manifest: Manifest) -> None:
    """Record which files ``merged_dataset`` holds for the first time.

    Args:
        store: Of the lake.
        manifest: What it was made from.

    Raises:
        StorageError: The store refuses.
    """
    head = _read(store, HEAD_KEY, _Head)
    release_before = head is None and store.find(RELEASE_KEY) is not None
    preparation = _Preparation(
        manifest,
        "" if release_before else manifest.digest,
        datetime.now(UTC).isoformat(timespec="seconds"),
        _ended_at(store),
    )
    months = dict(head.months) if head else {}
    waiting = {*head.waiting} if head and head.at > preparation.ended_at else set[str]()
    for month, days in _days_by_month(manifest).items():
        content = _digest([(day, manifest.summaries[day].content) for day in days])
        if months.get(month) != content or month in waiting:
            _record_month(store, preparation, month, days)
            months[month] = content
            waiting.add(month)
    recorded = _Head(months=months, at=preparation.at, waiting=tuple(sorted(waiting)))
    store.write_json(HEAD_KEY, asdict(recorded))


def _ended_at(store: ObjectStore) -> str:
    """When the last release came to its end, if that has made a version; else empty."""
    release = _read(store, RELEASE_KEY, _Release)
    return release.finished_at if release and release.version is not None else ""


def first_release(store: ObjectStore, day: str, name: str, sha256: str) -> FirstRelease | None:
    """The first release that this file was a part of with these bytes; None before it was in one.

    Raises:
        StorageError: The store refuses.
    """
    month = _remembered_month(store, _key(month_of(day)))
    found = month.files.get(name) if month else None
    return found if found and found.sha256 == sha256 else None


def released_months(store: ObjectStore) -> dict[str, str]:
    """The months, such as ``2025-03``, that have files in a release, each with its write token.

    Raises:
        StorageError: The store refuses.
    """
    found = {
        key[1]: each.e_tag
        for each in store.list(HEAD_KEY.rpartition("/")[0] + "/")
        if (key := _MONTH_KEY.fullmatch(each.key))
    }
    return dict(sorted(found.items()))


def files_of_month(store: ObjectStore, month: str) -> dict[str, FirstRelease]:
    """The first release of each file of a month, by the file's name.

    Raises:
        StorageError: The store refuses.
    """
    found = _read(store, _key(month), _Month)
    return dict(found.files) if found else {}


def _remembered_month(store: ObjectStore, key: str) -> _Month | None:
    """The month, parsed only when it has changed: a page asks for many files of it."""
    token, known = _remembered.get((store.uri, key), (None, None))
    found, data = store.read_changed(key, token)
    if found is None or data is None:
        return known if found else None
    if len(_remembered) >= REMEMBERED_MONTHS:
        _remembered.clear()
    month = _read(store, key, _Month)
    _remembered[store.uri, key] = (found, month)
    return month


def _record_month(
    store: ObjectStore, preparation: _Preparation, month: str, days: list[str]
) -> None:
    before = _read(store, _key(month), _Month)
    files = dict(before.files) if before else {}
    of_days = (file for day in days for file in preparation.manifest.days[day].files)
    for file in (each for each in of_days if each.rows):
        first = files.get(file.name)
        files[file.name] = (
            FirstRelease(file.sha256, preparation.digest, preparation.at)
            if first is None or first.sha256 != file.sha256
            else first.tried_again(preparation.manifest.digest, preparation.ended_at)
        )
    if before is None or files != before.files:
        store.write_json(_key(month), asdict(_Month(files=files)))


def _days_by_month(manifest: Manifest) -> dict[str, list[str]]:
    months: dict[str, list[str]] = {}
    for day in manifest.days_with_rows:
        months.setdefault(month_of(day), []).append(day)
    return months


def _key(month: str) -> str:
    return f"merged_dataset/_released_files.{month}.json"


def _read(store: ObjectStore, key: str, kind: type[_Record]) -> _Record | None:
    """The document; None when there is none, or it is damaged: it is made anew then.

    Raises:
        StorageError: The store refuses.
    """
    try:
        document = store.read_json(key)
        return (
            None
            if document is None
            else record_of(kind, document, store.uri_of(key), remedy="delete it", version=FORMAT)
        )
    except DamagedError:
        return None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
