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
    LostPartError,
    Manifest,
    StoredDays,
    month_of,
)
from abalone_assets.lake.manifest_documents import (
    FORMAT,
    Head,
    Month,
    encoded,
    head_of,
    part_bytes,
    part_days,
    whole_manifest,
)
from abalone_assets.lake.writers import (
    SharedDaysError,
    Writer,
    after_failing,
    after_sharing,
    is_alone,
    is_only_revoked,
    with_writer,
)
from abalone_assets.storage.object_store import ObjectStore

MANIFEST_KEY: Final = "manifest.json"
PARTS: Final = "_manifest/"
REMEDY: Final = f"delete {MANIFEST_KEY} to ingest all surveys again"

KEPT_SECONDS: Final = 6 * 3600
"""How long a part stays that no head names: who read an earlier head may still read it, and who
wrote it may be about to swap the head."""

REMEMBERED_PARTS: Final = 24
"""Two years; a look at more reads the parts one by one, and never holds all of them."""

_RUN_LENGTH: Final = 8
"""Of a run's id, as Dagster shows it: a head says it of each day."""

_NEW_MONTH: Final = Month(part="", days={})


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
    document = _parsed(store, MANIFEST_KEY, data)
    manifest = _manifest_of(store, document, _head_of(document))
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
        SharedDaysError: Other runs have written some of them since; those stay due, as do days
            that a person has revoked.
        StorageError: The store refuses.
    """
    of_runs: list[str] = []

    def change(manifest: Manifest) -> _Change:
        writers = {day: _writers_of(manifest, day) for day in days}
        shared = [day for day in days if writer and not is_alone(writers[day], writer)]
        of_runs[:] = [d for d in shared if not (writer and is_only_revoked(writers[d], writer))]
        return _Change(
            manifest.raw,
            {**days, **dict.fromkeys([*doubted(manifest), *shared], BEING_WRITTEN)},
            {day: after_sharing(writers[day], writer) for day in shared if writer},
            dict.fromkeys(days, writer.run[:_RUN_LENGTH]) if writer else {},
        )

    _update(store, change)
    if of_runs:
        raise SharedDaysError(of_runs)


def revoke_days(
    store: ObjectStore,
    days: Iterable[str],
    *,
    writer: Writer | None = None,
    has_ended: Callable[[str], bool] = lambda _: False,
    forget: bool = False,
) -> None:
    """Record that these days are being written: until their commit they are due, and hold nothing.

    A release in the meantime leaves them out rather than read what may be half of a day. What they
    held stays known (`Manifest.last_files`), for files that cannot be read when they are written.

    Args:
        store: Of the lake.
        days: ISO dates.
        writer: The run that is about to write them; without one, no run that writes them now is
            believed.
        has_ended: Whether Dagster knows of a run that it has ended.
        forget: Whether what they held is to be known no more: a person has let go of them.
    """
    revoked = dict.fromkeys(days, BEING_WRITTEN)

    def change(manifest: Manifest) -> _Change:
        writers = {
            day: with_writer(_writers_of(manifest, day), writer, has_ended) for day in revoked
        }
        forgotten = frozenset(revoked if forget else ())
        return _Change(manifest.raw, revoked, writers, forgotten=forgotten)

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
    is_doubted: Callable[[], bool] = lambda: False,
) -> None:
    """Record that the lake now holds this base survey; None while it is being written.

    Args:
        store: Of the lake.
        raw: The base survey.
        judge_again: Says, of the manifest as it is now, which days are other ones now that their
            files are judged against it.
        is_doubted: Whether the base survey is to be ingested again by what is known now.
    """

    def change(manifest: Manifest) -> _Change:
        days = judge_again(manifest)
        held = None if is_doubted() else raw
        return _Change(held, days, {day: _writers_of(manifest, day) for day in days})

    _update(store, change)


@dataclass(frozen=True)
class _Change:
    """What the manifest says of the base survey and of some days from now on.

    Attributes:
        raw: The base survey.
        days: The days that change.
        writers: The runs that write a day, for those that are being written.
        runs: The run that has written a day, for those that one has just written.
        forgotten: Those of the days of which nobody is to know any more what they held.
    """

    raw: IngestedRaw | None
    days: Mapping[str, IngestedDay]
    writers: Mapping[str, tuple[Writer, ...]] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    forgotten: Collection[str] = frozenset()


def _update(store: ObjectStore, change: Callable[[Manifest], _Change]) -> None:
    def swap(document: object) -> Head:
        head = _head_of(document)
        if head:
            _collect_garbage(store, head)
        manifest = _manifest_of(store, document, head)
        made = change(manifest)
        months = dict(head.months) if head else _in_months(store, {}, _Change(None, manifest.days))
        months = _in_months(store, months, made)
        return Head(FORMAT, made.raw, dict(sorted(months.items())))

    store.update_json(MANIFEST_KEY, swap, encode=encoded)


def _in_months(store: ObjectStore, before: Mapping[str, Month], made: _Change) -> dict[str, Month]:
    """These months with a change made."""
    months = dict(before)
    for name, days in _by_month(made.days).items():
        months[name] = _changed(store, name, months.get(name, _NEW_MONTH), days, made)
    return months


def _changed(
    store: ObjectStore,
    name: str,
    before: Month,
    changed: Mapping[str, IngestedDay],
    made: _Change,
) -> Month:
    """A month with these days of a change made, its part written; revoked days need none."""
    summaries = dict(before.days)
    for day, entry in changed.items():
        summaries[day] = _summary(day, entry, summaries.get(day), made)
    summaries = dict(sorted(summaries.items()))
    written = {day: entry for day, entry in changed.items() if entry.digest}
    if not written:
        return Month(before.part, summaries)
    stay = [day for day, each in summaries.items() if not each.being_written]
    days = {**_known_days(store, before.part, is_needed=written.keys() != set(stay)), **written}
    # Of a revoked day its files of before stay known, for what cannot be read of it again.
    revoked = [day for day, each in summaries.items() if each.being_written and each.files]
    data = part_bytes({day: days[day] for day in sorted((*stay, *(days.keys() & revoked)))})
    part = f"{PARTS}{name}.{hashlib.sha256(data).hexdigest()[:16]}.json"
    store.write(part, data)  # again if it is there, so that it is young
    return Month(part, summaries)


def _summary(day: str, entry: IngestedDay, before: DaySummary | None, made: _Change) -> DaySummary:
    """What the head says of a changed day; one that is judged anew is of the run that wrote it."""
    if entry.digest:
        run = made.runs.get(day, before.run if before else "")
        return replace(DaySummary.of(entry), run=run)
    known = None if day in made.forgotten else before
    return (known or DaySummary()).revoked(made.writers.get(day, ()))


def _by_month(days: Mapping[str, IngestedDay]) -> dict[str, dict[str, IngestedDay]]:
    months: dict[str, dict[str, IngestedDay]] = {}
    for day, entry in days.items():
        months.setdefault(month_of(day), {})[day] = entry
    return months


def _collect_garbage(store: ObjectStore, head: Head) -> None:
    """Delete the parts that neither this head nor anybody else can still need."""
    named = {month.part for month in head.months.values()}
    old = datetime.now(UTC) - timedelta(seconds=KEPT_SECONDS)
    for stored in list(store.list(PARTS)):
        if stored.key not in named and stored.last_modified < old:
            store.delete(stored.key)


def _head_of(document: object) -> Head | None:
    return head_of(document, MANIFEST_KEY, remedy=REMEDY)


def _manifest_of(store: ObjectStore, document: object, head: Head | None) -> Manifest:
    """The manifest that a document is, whose head this is; none is an empty one."""
    if document is None:
        return Manifest()
    if head is None:
        return whole_manifest(document, MANIFEST_KEY, remedy=REMEDY)
    return Manifest(
        head.raw,
        StoredDays(
            head.summaries,
            lambda month: _read_month(store, head.months[month]),
            {name: month.part for name, month in head.months.items()},
        ),
    )


def _read_month(store: ObjectStore, month: Month) -> Mapping[str, IngestedDay]:
    days = _read_part(store, month.part)
    lost = [day for day, each in month.days.items() if not (each.being_written or day in days)]
    if lost:
        raise LostPartError(f"{store.uri_of(month.part)}: {lost[0]} is missing; {REMEDY}")
    return days


def _known_days(store: ObjectStore, part: str, *, is_needed: bool) -> Mapping[str, IngestedDay]:
    """The days of a part; one that was lost is not needed once all of its days are written anew."""
    try:
        return _read_part(store, part)
    except (LostPartError, DamagedError):
        if is_needed:
            raise
        return {}


def _read_part(store: ObjectStore, part: str) -> Mapping[str, IngestedDay]:
    return _part_at(store.uri, part) if part else {}


@lru_cache(maxsize=REMEMBERED_PARTS)
def _part_at(uri: str, part: str) -> Mapping[str, IngestedDay]:
    store = ObjectStore(uri)
    document = store.read_json(part)
    if document is None:
        raise LostPartError(
            f"{store.uri_of(part)}: no such part of the manifest: either it was changed long after "
            f"it was read, and a new look finds it, or the part was lost: {REMEDY}"
        )
    return part_days(document, store.uri_of(part), remedy=REMEDY)


def _parsed(store: ObjectStore, key: str, data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{store.uri_of(key)}: not a JSON document: {error}") from error
