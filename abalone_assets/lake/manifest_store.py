"""How the manifest is stored, so that a look at it costs what changed and not what there is.

``manifest.json`` is the head: the base survey, and of each day a `DaySummary`. The files of a
month's days lie in a part, ``_manifest/2025-03.<digest>.json``, which is never written again: a
change writes new parts of the months that it touches, then swaps the head. A reader sees the head
of before or of after, and the parts of before for `KEPT_SECONDS`.

A head that was read is kept by its token, and the parts that were read last by their names, so that
a tick that finds nothing new reads nothing. A manifest in one document, as earlier releases wrote
it, is read, and written in parts by the next change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from abalone_assets.errors import DamagedError, StorageError
from abalone_assets.lake.manifest import (
    BEING_WRITTEN,
    DaySummary,
    IngestedDay,
    IngestedRaw,
    Manifest,
    StoredDays,
    month_of,
)
from abalone_assets.lake.writers import (
    SharedDaysError,
    Writer,
    after_failing,
    after_sharing,
    is_alone,
    with_writer,
)
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.storage.records import record_of

MANIFEST_KEY: Final = "manifest.json"
PARTS: Final = "_manifest/"
FORMAT: Final = 2
REMEDY: Final = f"delete {MANIFEST_KEY} to ingest all surveys again"

KEPT_SECONDS: Final = 6 * 3600
"""How long a part stays that no head names: who read an earlier head may still read it, and who
wrote it may be about to swap the head."""

REMEMBERED_PARTS: Final = 24
"""Two years; a look at more reads the parts one by one, and never holds all of them."""


@dataclass(frozen=True)
class _Month:
    """A month in the head; its part may list days that the head does not, which do not count."""

    part: str
    days: dict[str, DaySummary]


@dataclass(frozen=True)
class _Head:
    format: int
    raw: IngestedRaw | None
    months: dict[str, _Month]

    @property
    def summaries(self) -> dict[str, DaySummary]:
        days = {day: each for month in self.months.values() for day, each in month.days.items()}
        return dict(sorted(days.items()))


@dataclass(frozen=True)
class _Part:
    """The files of a month's days. The format is that of the head."""

    format: int
    days: dict[str, IngestedDay]


@dataclass(frozen=True)
class _WholeDocument:
    """A manifest of format 1: one document, no part of which may be missing."""

    format: int
    raw: IngestedRaw | None
    days: dict[str, IngestedDay]


@dataclass(frozen=True)
class _Read:
    """A head as it was read last."""

    token: str | None
    manifest: Manifest


_last: Final[dict[str, _Read]] = {}
"""By the store's URI: a process has one lake, with a manifest of surveys and one of animals."""


def read_manifest(store: ObjectStore) -> Manifest:
    """The manifest as it is now; an empty one when the lake is new.

    Raises:
        StorageError: It is no manifest of a known format, or the store refuses.
    """
    known = _last.get(store.uri)
    token, data = store.read_changed(MANIFEST_KEY, known.token if known else None)
    if data is None:
        return known.manifest if known and token else Manifest()
    manifest = _manifest_of(store, _parsed(store, MANIFEST_KEY, data))
    _last[store.uri] = _Read(token, manifest)
    return manifest


def read_manifest_anew(store: ObjectStore) -> Manifest:
    """The manifest, and its parts when they are asked for, as they are stored now."""
    _last.pop(store.uri, None)
    _part_at.cache_clear()
    return read_manifest(store)


def commit_days(
    store: ObjectStore,
    days: Mapping[str, IngestedDay],
    *,
    doubted: Callable[[Manifest], Collection[str]] = lambda _: (),
    writer: Writer | None = None,
) -> None:
    """Record that the lake now holds this content of these days.

    Args:
        store: Of the lake.
        days: Their content.
        doubted: Says, of the manifest as it is now, which of them stay revoked, and so due.
        writer: The run that revoked the days and wrote them.

    Raises:
        SharedDaysError: Others have written some of them since; those stay due.
        StorageError: The store refuses.
    """
    shared: list[str] = []

    def change(manifest: Manifest) -> _Change:
        writers = {day: _writers_of(manifest, day) for day in days}
        shared[:] = [day for day in days if writer and not is_alone(writers[day], writer)]
        return _Change(
            manifest.raw,
            {**days, **dict.fromkeys([*doubted(manifest), *shared], BEING_WRITTEN)},
            {day: after_sharing(writers[day], writer) for day in shared if writer},
        )

    _update(store, change)
    if shared:
        raise SharedDaysError(shared)


def revoke_days(
    store: ObjectStore,
    days: Iterable[str],
    *,
    writer: Writer | None = None,
    has_ended: Callable[[str], bool] = lambda _: False,
) -> None:
    """Record that these days are being written: until their commit they are due, and hold nothing.

    A release in the meantime leaves them out rather than read what may be half of a day.

    Args:
        store: Of the lake.
        days: ISO dates.
        writer: The run that is about to write them; without one, no run that writes them now is
            believed.
        has_ended: Whether Dagster knows of a run that it has ended.
    """
    revoked = dict.fromkeys(days, BEING_WRITTEN)

    def change(manifest: Manifest) -> _Change:
        writers = {
            day: with_writer(_writers_of(manifest, day), writer, has_ended) for day in revoked
        }
        return _Change(manifest.raw, revoked, writers)

    _update(store, change)


@contextmanager
def writing_days(
    store: ObjectStore,
    days: Collection[str],
    writer: Writer,
    has_ended: Callable[[str], bool] = lambda _: False,
) -> Iterator[None]:
    """Revoke these days, and note that this run writes them no more if it fails.

    One that is killed notes nothing; see `Writer.is_gone`.

    Raises:
        StorageError: The store refuses.
    """
    revoke_days(store, days, writer=writer, has_ended=has_ended)
    try:
        yield
    except BaseException:
        with suppress(StorageError):
            _update(store, lambda manifest: _failed(manifest, days, writer))
        raise


def _failed(manifest: Manifest, days: Iterable[str], writer: Writer) -> _Change:
    writers = {day: _writers_of(manifest, day) for day in days}
    its = {day: each for day, each in writers.items() if any(w.run == writer.run for w in each)}
    return _Change(
        manifest.raw,
        dict.fromkeys(its, BEING_WRITTEN),
        {day: after_failing(each, writer) for day, each in its.items()},
    )


def _writers_of(manifest: Manifest, day: str) -> tuple[Writer, ...]:
    return manifest.summaries[day].writers if day in manifest.summaries else ()


def commit_raw(
    store: ObjectStore,
    raw: IngestedRaw | None,
    *,
    judge_again: Callable[[Manifest], Mapping[str, IngestedDay]] = lambda _: {},
) -> None:
    """Record that the lake now holds this base survey; None while it is being written.

    Together with it, the days that are other ones now that their files are judged against it.
    """

    def change(manifest: Manifest) -> _Change:
        days = judge_again(manifest)
        return _Change(raw, days, {day: _writers_of(manifest, day) for day in days})

    _update(store, change)


@dataclass(frozen=True)
class _Change:
    """What the manifest says of the base survey and of some days from now on.

    ``writers`` has the runs that write a day, for those that are being written.
    """

    raw: IngestedRaw | None
    days: Mapping[str, IngestedDay]
    writers: Mapping[str, tuple[Writer, ...]] = field(default_factory=dict)


def _update(store: ObjectStore, change: Callable[[Manifest], _Change]) -> None:
    def swap(document: object) -> _Head:
        head = _head_of(document)
        if head:
            _collect_garbage(store, head)
        manifest = _manifest_of(store, document)
        made = change(manifest)
        # Of one document, or where there is none yet, all of it goes into parts.
        changed = made.days if head else {**manifest.days, **made.days}
        months = dict(head.months) if head else {}
        for month, days in _by_month(changed).items():
            months[month] = _with(store, month, months.get(month), days, made.writers)
        return _Head(FORMAT, made.raw, dict(sorted(months.items())))

    store.update_json(MANIFEST_KEY, swap, encode=_json_of)


def _with(
    store: ObjectStore,
    month: str,
    before: _Month | None,
    changed: Mapping[str, IngestedDay],
    writers: Mapping[str, tuple[Writer, ...]],
) -> _Month:
    """A month with these days changed, its part written; revoked days need none."""
    summaries = dict(before.days) if before else {}
    summaries |= {
        day: DaySummary.of(entry)
        if entry.digest
        else replace(DaySummary.of(entry), writers=writers.get(day, ()))
        for day, entry in changed.items()
    }
    summaries = dict(sorted(summaries.items()))
    written = {day: entry for day, entry in changed.items() if entry.digest}
    if not written:
        return _Month(before.part if before else "", summaries)
    others = summaries.keys() - written.keys()
    stay = any(not summaries[day].being_written for day in others)
    # A part that was lost is not needed once all of its days are written anew.
    days = {**(_read_part(store, before.part) if before and stay else {}), **written}
    valid = {day: days[day] for day, each in summaries.items() if not each.being_written}
    data = part_bytes(valid)
    part = f"{PARTS}{month}.{hashlib.sha256(data).hexdigest()[:16]}.json"
    store.write(part, data)  # again if it is there, so that it is young
    return _Month(part, summaries)


def part_bytes(days: Mapping[str, IngestedDay]) -> bytes:
    """The document of a month's days, as it is stored."""
    return _json_of(_Part(FORMAT, dict(days)))


def part_days(document: object, place: str, *, remedy: str = REMEDY) -> Mapping[str, IngestedDay]:
    """The days of such a document.

    Raises:
        StorageError: It is none.
    """
    return record_of(_Part, document, place, remedy=remedy, version=FORMAT).days


def _json_of(record: object) -> bytes:
    """The JSON of nested records: what `asdict` would give, without its copies of all of it."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, default=_fields).encode()


def _fields(record: object) -> dict[str, object]:
    """The fields of a record; of the many days that nobody writes, not that nobody does."""
    fields = vars(record)
    if fields.get("writers", True):
        return fields
    return {name: value for name, value in fields.items() if name != "writers"}


def _by_month(days: Mapping[str, IngestedDay]) -> dict[str, dict[str, IngestedDay]]:
    months: dict[str, dict[str, IngestedDay]] = {}
    for day, entry in days.items():
        months.setdefault(month_of(day), {})[day] = entry
    return months


def _collect_garbage(store: ObjectStore, head: _Head) -> None:
    """Delete the parts that neither this head nor anybody else can still need."""
    named = {month.part for month in head.months.values()}
    old = datetime.now(UTC) - timedelta(seconds=KEPT_SECONDS)
    for stored in list(store.list(PARTS)):
        if stored.key not in named and stored.last_modified < old:
            store.delete(stored.key)


def _manifest_of(store: ObjectStore, document: object) -> Manifest:
    if document is None:
        return Manifest()
    head = _head_of(document)
    if head is None:
        whole = record_of(_WholeDocument, document, MANIFEST_KEY, remedy=REMEDY, version=1)
        return Manifest(whole.raw, whole.days)
    return Manifest(
        head.raw,
        StoredDays(
            head.summaries,
            lambda month: _read_month(store, head.months[month]),
            {name: month.part for name, month in head.months.items()},
        ),
    )


def _head_of(document: object) -> _Head | None:
    """The head; None when this is a manifest in one document, or none yet."""
    if not isinstance(document, dict) or document.get("format") in (None, 1):
        return None
    return record_of(_Head, document, MANIFEST_KEY, remedy=REMEDY, version=FORMAT)


def _read_month(store: ObjectStore, month: _Month) -> Mapping[str, IngestedDay]:
    days = _read_part(store, month.part)
    lost = [day for day, each in month.days.items() if not (each.being_written or day in days)]
    if lost:
        raise StorageError(f"{store.uri_of(month.part)}: {lost[0]} is missing; {REMEDY}")
    return days


def _read_part(store: ObjectStore, part: str) -> Mapping[str, IngestedDay]:
    return _part_at(store.uri, part) if part else {}


@lru_cache(maxsize=REMEMBERED_PARTS)
def _part_at(uri: str, part: str) -> Mapping[str, IngestedDay]:
    store = ObjectStore(uri)
    document = store.read_json(part)
    if document is None:
        raise StorageError(
            f"{store.uri_of(part)}: no such part of the manifest: either it was changed long after "
            f"it was read, and a new look finds it, or the part was lost: {REMEDY}"
        )
    return part_days(document, store.uri_of(part))


def _parsed(store: ObjectStore, key: str, data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{store.uri_of(key)}: not a JSON document: {error}") from error
