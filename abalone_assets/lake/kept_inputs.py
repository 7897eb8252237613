"""What releases were made from, kept for as long as a version of theirs is.

A release is a function of the base survey and of the survey days that its manifest lists; its
splits follow from them. So these inputs are kept, by their content, and the splits are not::

    merged_dataset/_inputs.json       the inputs of the last preparation, or of one that runs now
    _kept/days/2025-03.<digest>.json  of a month's days in a release: files, digests of the rows
    _kept/rows/<sha256>.parquet       rows of a day, or a base survey, that others have replaced

Rows stay where they are as long as they are current. Whoever replaces them keeps them first: which
of them a version needs is known when `retention` looks. Releases share the documents of months that
are as they were.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError
from abalone_assets.lake.manifest import (
    DaySummary,
    IngestedDay,
    IngestedRaw,
    Manifest,
    StoredDays,
    month_of,
)
from abalone_assets.lake.manifest_documents import part_bytes, part_days
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake

DAYS: Final = "_kept/days/"
ROWS: Final = "_kept/rows/"
INPUTS_KEY: Final = "merged_dataset/_inputs.json"

RAW: Final = "raw_abalone"
SURVEYS: Final = "new_surveys"
KEPT_ASSETS: Final = frozenset({RAW, SURVEYS})
"""Those that releases are made from."""

_PARALLEL: Final = 8
_REMEMBERED: Final = 256
_REMEDY: Final = "restore it from a copy: versions can no longer tell what they were trained on"


@dataclass(frozen=True)
class KeptMonth:
    """The days of a month in a release.

    Attributes:
        document: Key of what says their files and the digests of their rows.
        made_from: Digest of what the manifest said of them: what says the same has the same.
    """

    document: str
    made_from: str


@dataclass(frozen=True)
class Inputs:
    """What a release is made from.

    Attributes:
        digest: The manifest's digest.
        raw: The base survey, with the digest of its rows; None where there was none.
        months: Its survey days with rows, by month, ``YYYY-MM``.
    """

    digest: str
    raw: IngestedRaw | None
    months: Mapping[str, KeptMonth]


def record_inputs(lake: Lake, manifest: Manifest) -> Inputs:
    """Keep what a preparation is about to be made from, and say so.

    What is said comes before what it names: `retention` then never removes a document that is
    being written again.

    Raises:
        StorageError: The store refuses.
    """
    before = last_inputs(lake)
    known = before.months if before else {}
    there = {stored.key for stored in lake.store.list(DAYS)}
    months: dict[str, KeptMonth] = {}
    documents: dict[str, bytes] = {}
    for month, days in _by_month(manifest.days_with_rows).items():
        made_from = _made_from(manifest, days)
        same = known.get(month)
        if same is not None and same.made_from == made_from and same.document in there:
            months[month] = same
            continue
        data = part_bytes(with_rows_digests(lake, {day: manifest.days[day] for day in days}))
        key = f"{DAYS}{month}.{_sha256(data)}.json"
        months[month], documents[key] = KeptMonth(key, made_from), data
    raw = manifest.raw and _with_digest(lake, manifest.raw)
    inputs = Inputs(manifest.digest, raw, months)
    lake.store.write_json(INPUTS_KEY, asdict(inputs))
    for key, data in documents.items():
        lake.store.write(key, data)
    return inputs


def last_inputs(lake: Lake) -> Inputs | None:
    """The inputs of the last preparation, or of one that runs now; None in a lake of before."""
    document = lake.store.read_json(INPUTS_KEY)
    if document is None:
        return None
    remedy = "delete it: the next preparation writes it"
    return record_of(Inputs, document, lake.store.uri_of(INPUTS_KEY), remedy=remedy)


def days_of(store: ObjectStore, inputs: Inputs) -> dict[str, IngestedDay]:
    """The survey days of a release, in order, with the digests of their rows.

    Raises:
        StorageError: A document is gone or damaged.
    """
    days: dict[str, IngestedDay] = {}
    for month in sorted(inputs.months):
        days |= _month_at(store.uri, inputs.months[month].document)
    return dict(sorted(days.items()))


def manifest_of(store: ObjectStore, inputs: Inputs) -> Manifest:
    """The manifest that a release was made from, but for the days that had no rows.

    Raises:
        StorageError: A document is gone or damaged.
    """
    return Manifest(inputs.raw, days_of(store, inputs))


def objects_of(store: ObjectStore, inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Asset or survey day, and the SHA-256 of its rows: of all that a release was made from.

    Raises:
        StorageError: A document is gone or damaged.
    """
    if inputs.raw is not None:
        yield RAW, inputs.raw.rows_sha256
    for day, entry in days_of(store, inputs).items():
        yield day, entry.rows_sha256


def rows_of(lake: Lake, place: str, sha256: str) -> bytes | None:
    """The rows of the base survey or of a survey day, as they were when they had this digest.

    Args:
        lake: The lake.
        place: `RAW`, or the day.
        sha256: Of the object.

    Returns:
        None when they are gone, or nobody knows their digest.

    Raises:
        StorageError: The store refuses.
    """
    current = lake.key(RAW) if place == RAW else lake.key(SURVEYS, place)
    for key in (current, kept_key(sha256)) if sha256 else ():
        _, data = lake.store.read_changed(key, None)
        if data is not None and _sha256(data) == sha256:
            return data
    return None


def kept_key(sha256: str) -> str:
    """Key of rows that are no longer current."""
    return f"{ROWS}{sha256}.parquet"


def replace_rows(lake: Lake, asset: str, partition: str | None, data: bytes) -> None:
    """Write an object of the lake; rows that a release may have been made from are kept first.

    Raises:
        StorageError: The store refuses.
    """
    key = lake.key(asset, partition)
    if asset in KEPT_ASSETS:
        _, before = lake.store.read_changed(key, None)
        if before is not None and before != data:
            lake.store.write(kept_key(_sha256(before)), before)
    lake.store.write(key, data)


def with_rows_digests(lake: Lake, days: Mapping[str, IngestedDay]) -> dict[str, IngestedDay]:
    """Survey days with the digests of their rows; those without rows, or with one, stay as is.

    Raises:
        StorageError: The store refuses.
    """
    unknown = [day for day, entry in days.items() if entry.rows and not entry.rows_sha256]
    with ThreadPoolExecutor(_PARALLEL) as pool:
        digests = pool.map(lambda day: stored_sha256(lake.store, lake.key(SURVEYS, day)), unknown)
        told = dict(zip(unknown, digests, strict=True))
    return {
        day: replace(entry, rows_sha256=told[day]) if day in told else entry
        for day, entry in days.items()
    }


def stored_sha256(store: ObjectStore, key: str) -> str:
    """SHA-256 of an object; empty when there is none.

    Raises:
        StorageError: The store refuses.
    """
    _, data = store.read_changed(key, None)
    return "" if data is None else _sha256(data)


def changed_since(before: Manifest, now: Manifest) -> list[str]:
    """What of a manifest's rows was written since, be it that it is as before by now.

    Returns:
        Survey days, and ``raw_abalone`` for the base survey.
    """
    raw = [] if _identity(before.raw) == _identity(now.raw) else [RAW]
    return raw + [day for day in before.days_with_rows if _was_written(day, before, now)]


def _was_written(day: str, before: Manifest, now: Manifest) -> bool:
    # Corrected and put back, a file may have the token of before, as on S3; its run is another.
    if now.summaries.get(day) != before.summaries[day]:
        return True
    part = _part(before, day)
    if part and part == _part(now, day):
        return False
    return before.days[day].rows_sha256 != now.days[day].rows_sha256


def _identity(raw: IngestedRaw | None) -> tuple[str, str] | None:
    return (raw.digest, raw.rows_sha256) if raw else None


def _with_digest(lake: Lake, raw: IngestedRaw) -> IngestedRaw:
    if raw.rows_sha256:
        return raw
    return replace(raw, rows_sha256=stored_sha256(lake.store, lake.key(RAW)))


def _made_from(manifest: Manifest, days: list[str]) -> str:
    told = [[day, _told(manifest.summaries[day])] for day in days]
    return _sha256(json.dumps([_part(manifest, days[0]), told]).encode())[:16]


def _told(summary: DaySummary) -> dict[str, object]:
    """What a summary says of a day's rows: the same, whichever run wrote them."""
    return {name: value for name, value in asdict(summary).items() if name != "run"}


def _part(manifest: Manifest, day: str) -> str:
    """The stored part of the manifest that a day is in; empty in one of another kind."""
    stored = manifest.days
    return stored.parts.get(month_of(day), "") if isinstance(stored, StoredDays) else ""


def _by_month(days: Iterable[str]) -> dict[str, list[str]]:
    months: dict[str, list[str]] = {}
    for day in days:
        months.setdefault(month_of(day), []).append(day)
    return months


@lru_cache(maxsize=_REMEMBERED)
def _month_at(uri: str, key: str) -> Mapping[str, IngestedDay]:
    store = ObjectStore(uri)
    document = store.read_json(key)
    if document is None:
        raise StorageError(f"{store.uri_of(key)}: no such object; {_REMEDY}")
    return part_days(document, store.uri_of(key), remedy=_REMEDY)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
