"""One look at the landing zone: the files of a kind that landed, against what the lake holds.

Surveys and animals without rings are looked at in the same steps. A `Look` begins, and may be left
out; a `Sight` is what lies in the landing zone, and has the days that the lake lost ingested again;
`Findings` are the days that are due, and tell the next `LookCursor`.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from abalone_assets.errors import counted
from abalone_assets.ingest.memory import MEMORY_KEYS, Memory, Patience, read_memory, write_memory
from abalone_assets.ingest.reconcile import Due, find_due, missing_days
from abalone_assets.lake.manifest_store import MANIFEST_KEY, revoke_days

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from abalone_assets.ingest.landing_zone import Landing, LandingZone
    from abalone_assets.lake.animals import Animals
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import Manifest
    from abalone_assets.settings.platform import Settings
    from abalone_assets.storage.object_store import ObjectStore
    from abalone_assets.survey import FileKind

RECENT_DAYS: Final = 7
MAX_OLD_DAYS: Final = 16
"""Old days that a tick looks at one by one; for more of them it looks at everything."""

SETTLED_SECONDS: Final = 600
"""How long a look that found everything in the lake is believed while nothing is written."""

LISTED_NAMES: Final = 3


@dataclass(frozen=True)
class LookCursor:
    """What a sensor that looks remembers; losing it costs a second look, nothing else.

    Every tick keeps a copy of it, so it stays small: what is known of single files lies in the
    lake, see `Memory`.

    Attributes:
        reconciled_at: Unix time of the last look at all days.
        missing: Digest of the days that are missing though a look at all days does not believe it;
            empty when there are none.
        settled: What the last look depended on, if it found everything in the lake: as long as
            that stays the same, a tick need not look.
    """

    reconciled_at: float = 0.0
    missing: str = ""
    settled: str = ""

    def after(self, found: Findings) -> Self:
        """What to remember after a look."""
        look, whole = found.sight.look, found.sight.whole
        return replace(
            self,
            reconciled_at=look.now if whole else self.reconciled_at,
            missing=found.sight.missing if found.due.vanished else "",
            settled=look.depends_on if found.settled else "",
        )


@dataclass(frozen=True)
class Subject:
    """What a look is at: all in which surveys and animals without rings differ.

    Attributes:
        kind: Of the files.
        zone: Where they land.
        lake: What holds them, and knows which days of them it lost.
        records: The store of their manifest.
        noun: What their days are called.
        forget: The command by which a person lets go of days.
        also: Keys of further documents of the lake that say whether there is something to do.
    """

    kind: FileKind
    zone: LandingZone
    lake: Lake | Animals
    records: ObjectStore
    noun: str
    forget: str
    also: tuple[str, ...] = ()

    def state(self, first: date, today: date) -> str:
        """Digest of everything that a look compares; empty when the landing zone cannot tell."""
        landed = self.zone.change_token()
        if landed is None:
            return ""
        keys = (MEMORY_KEYS[self.kind], *self.also)
        documents = (self.records.find(MANIFEST_KEY), *map(self.lake.store.find, keys))
        tokens = [found and found.e_tag for found in documents]
        return digest_of([landed, *tokens, first.isoformat(), today.isoformat()])


@dataclass(frozen=True)
class Look:
    """A look that begins: how things stood before it.

    Attributes:
        subject: What it is at.
        cursor: What the look before left.
        settings: The settings in force.
        now: Unix time.
        today: The date in UTC, up to which days are looked at.
        depends_on: `Subject.state` before anything is read: what changes meanwhile is seen by the
            next look.
        manifest: What the lake holds.
    """

    subject: Subject
    cursor: LookCursor
    settings: Settings
    now: float
    today: date
    depends_on: str
    manifest: Manifest

    @classmethod
    def begun(cls, subject: Subject, cursor: LookCursor, settings: Settings) -> Look:
        """A look that begins now.

        Raises:
            StorageError: The lake refuses, or its manifest is damaged.
        """
        now, today = time.time(), datetime.now(UTC).date()
        depends_on = subject.state(settings.first_survey_day, today)
        return cls(subject, cursor, settings, now, today, depends_on, subject.lake.manifest())

    @property
    def age(self) -> float:
        """Seconds since the last look at all days.

        A clock that was set back must not put the next one off until it has caught up.
        """
        since = self.cursor.reconciled_at
        return self.now - since if self.now >= since else float("inf")

    @cached_property
    def lost_days(self) -> list[str]:
        """The days, in order, whose rows the manifest lists but whose objects are gone.

        Raises:
            StorageError: The lake cannot be listed.
        """
        return self.subject.lake.lost_days(self.manifest)

    @property
    def may_be_left_out(self) -> bool:
        """Whether the look before found everything in the lake, and nothing was written since.

        Raises:
            StorageError: The lake cannot be listed.
        """
        same = bool(self.depends_on) and self.depends_on == self.cursor.settled
        believed = self.age < max(SETTLED_SECONDS, self.settings.reconcile_seconds)
        return same and believed and not self.lost_days

    @property
    def recent(self) -> date:
        """The first of the days that every look is at."""
        return self.today - timedelta(days=RECENT_DAYS)

    def is_old(self, day: date) -> bool:
        """Whether a day is looked at only for a reason, unless all are."""
        return self.settings.first_survey_day <= day < self.recent

    def old(self, days: Iterable[date]) -> frozenset[date]:
        """Those of some days that are old."""
        return frozenset(filter(self.is_old, days))

    def at(self, old: Collection[date], *, whole: bool = False) -> Sight:
        """Look at the recent days and at some old ones.

        All days are looked at whenever ``reconcile_seconds`` have passed, when the old ones are
        many, and when files are missing: only that can tell whether they are gone.

        Args:
            old: The old days.
            whole: Look at all days, whatever is the case.

        Raises:
            StorageError: The landing zone cannot be listed, or the lake refuses.
        """
        whole = whole or self.age >= self.settings.reconcile_seconds or len(old) > MAX_OLD_DAYS
        landing = self._landing() if whole else self._landing(self.recent, old)
        memory = read_memory(self.subject.lake.store, MEMORY_KEYS[self.subject.kind])
        missing = digest_of(missing_days(landing, self.manifest, memory))
        if not whole and missing not in {digest_of(()), self.cursor.missing}:
            whole, landing = True, self._landing()
        return Sight(self, landing, whole, missing, memory, self.manifest)

    def _landing(self, since: date | None = None, also: Collection[date] = ()) -> Landing:
        first, kind = self.settings.first_survey_day, self.subject.kind
        return self.subject.zone.scan(first, self.today, since, also=also, kind=kind)


@dataclass(frozen=True)
class Lost:
    """Days whose rows the manifest lists but whose objects are gone from the lake.

    Attributes:
        again: Those whose files lie in the landing zone, or that have none, so that they are
            ingested again.
        for_good: Those of which nothing is left.
    """

    again: tuple[str, ...] = ()
    for_good: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sight:
    """What a look saw.

    Attributes:
        look: The look.
        landing: What lies in the landing zone, of the days that it was at.
        whole: Whether it was at all days.
        missing: Digest of the days that seemed to be missing at first sight.
        memory: What the looks before know of single files.
        manifest: What the lake holds, without days that were revoked.
        lost: The days that the lake lost, if they were looked for.
    """

    look: Look
    landing: Landing
    whole: bool
    missing: str
    memory: Memory
    manifest: Manifest
    lost: Lost = Lost()

    def revoke_lost(self, earlier: Callable[[], Sequence[str]] = tuple) -> Sight:
        """Have the lake's lost days ingested again; a release in the meantime leaves them out.

        Only after a look at all days: no other tells which files are still there.

        Args:
            earlier: Says which days that no look is at were lost too.

        Raises:
            StorageError: The lake refuses.
        """
        if not self.whole:
            return self
        days, summaries = self.look.lost_days, self.manifest.summaries
        gone = {day for day in days if summaries[day].files} - self.landing.days.keys()
        lost = Lost(tuple(day for day in days if day not in gone), tuple(sorted(gone)))
        revoked = [*lost.again, *earlier()]
        if not revoked:
            return replace(self, lost=lost)
        revoke_days(self.look.subject.records, revoked)
        return replace(self, lost=lost, manifest=self.look.subject.lake.manifest())

    def compare(self) -> Findings:
        """Compare what was seen with the lake, and have the next look know what was learnt.

        Raises:
            StorageError: The lake refuses.
        """
        look = self.look
        patience = Patience(**look.settings.patience, now=look.now)
        read = look.subject.zone.read
        due = find_due(self.landing, self.manifest, read, memory=self.memory, patience=patience)
        memory = self.memory.after(self.landing, due.memory)
        if memory != self.memory:
            write_memory(look.subject.lake.store, memory, MEMORY_KEYS[look.subject.kind])
        return Findings(self, due, learnt=memory != self.memory)


@dataclass(frozen=True)
class Findings:
    """What a look found.

    Attributes:
        sight: What it saw.
        due: The days to be ingested.
        learnt: Whether it knows of single files what the look before did not.
    """

    sight: Sight
    due: Due
    learnt: bool

    @property
    def settled(self) -> bool:
        """Whether everything is in the lake, and the next look would find the same."""
        return self.due.settled and not self.learnt and self.sight.lost == Lost()

    @property
    def old_due(self) -> tuple[date, ...]:
        """Old days that are due, for the next looks to be at: as many as are looked at singly."""
        days = map(date.fromisoformat, self.due.days)
        return tuple(day for day in days if day < self.sight.look.recent)[:MAX_OLD_DAYS]

    def held_back(self) -> Iterator[str]:
        """What is not ingested though it landed, or kept though it is gone, and what to do."""
        subject, due = self.sight.look.subject, self.due
        if due.vanished:
            yield (
                f"{subject.zone.uri}: the files of {len(due.vanished)} {subject.noun}, "
                f"{due.vanished[0]} to {due.vanished[-1]}, are gone at once, as if it had gone "
                "away; the lake keeps their rows. Bring the landing zone back (is it mounted? is "
                "ABALONE_LANDING_ZONE_URI right?) or, if they were deleted on purpose, say so: "
                f"`{subject.forget} DAY…`"
            )
        if due.growing:
            yield (
                f"{counted(len(due.growing), 'file')} still being written ({named(due.growing)}), "
                "to be taken in when at rest"
            )
        if due.unreadable:
            name, failed = min(due.unreadable.items())
            yield (
                f"{counted(len(due.unreadable), 'file')} not to be read now, and tried again "
                f"({name}: {failed.problem})"
            )


def digest_of(value: object) -> str:
    """A few characters that tell one JSON document from another."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def named(names: Iterable[str]) -> str:
    """The first of some names."""
    listed = sorted(names)
    return ", ".join(listed[:LISTED_NAMES]) + (", …" if len(listed) > LISTED_NAMES else "")
