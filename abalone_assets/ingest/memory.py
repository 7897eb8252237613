"""What looks at the landing zone remember of single files, in a document of the lake.

It is too much for a sensor's cursor, of which every tick keeps a copy. Losing it costs a second
look, nothing else.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from abalone_assets.back_off import doubled
from abalone_assets.errors import DamagedError, SurveyError
from abalone_assets.ingest.tokens import is_of_older_lake, same_file
from abalone_assets.storage.records import record_of
from abalone_assets.survey import ANIMALS, SURVEYS, landed_day

if TYPE_CHECKING:
    from abalone_assets.ingest.landing_zone import LandedFile, Landing
    from abalone_assets.storage.object_store import ObjectStore

MEMORY_KEY: Final = "landing_zone/_looks.json"
ANIMALS_MEMORY_KEY: Final = "landing_zone/_animals_looks.json"
MEMORY_KEYS: Final = {SURVEYS: MEMORY_KEY, ANIMALS: ANIMALS_MEMORY_KEY}
LONGEST_RETRY_SECONDS: Final = 3600.0
LONGEST_REST_SECONDS: Final = 600.0

FREE_CHANGES: Final = 3
"""Corrections of a file that came whole which are taken in at once."""

CALM_SECONDS: Final = 3600.0
"""A file that was not changed for so long is no longer known as one that changes often."""

_Seen = TypeVar("_Seen")


@dataclass(frozen=True)
class Patience:
    """How long a look waits before it believes a file, or tries one again.

    Attributes:
        settle_seconds: How long a file must have been left alone before it is taken in.
        retry_seconds: Wait after a file could not be read; then doubled.
        now: Unix time of the look.
    """

    settle_seconds: float = 0
    retry_seconds: float = 10
    now: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Growing:
    """A file that was seen before it was at rest.

    Attributes:
        token: The token that it had.
        since: Since when, Unix time by our clock.
        rested: Whether it came to rest with this token.
    """

    token: str
    since: float
    rested: bool = False


@dataclass(frozen=True)
class Restless:
    """A file that was changed after it had been ingested.

    Attributes:
        token: Of the latest change.
        changes: How many there were; each doubles the rest that the file needs.
        last: Unix time of the latest one.
    """

    token: str
    changes: int
    last: float


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be read.

    Attributes:
        token: Of the write that could not be read.
        problem: Why, in the words of the storage.
        failures: How often it was tried.
        retry_at: Unix time of the next attempt; a file with another token is tried at once.
    """

    token: str
    problem: str
    failures: int
    retry_at: float


@dataclass(frozen=True)
class Memory:
    """What is known of single files, by name, and of the landing zone.

    Attributes:
        identical: Tokens of files that were written again with the bytes that the lake holds.
        growing: Files that were seen before they were at rest, until they are ingested.
        restless: Files that were changed after they had been ingested.
        unreadable: Files that are tried again later.
        missing: Days whose files were gone in a way that was not believed: surveys that land
            afterwards, maybe in another place, prove nothing of them.
    """

    identical: dict[str, str] = field(default_factory=dict)
    growing: dict[str, Growing] = field(default_factory=dict)
    restless: dict[str, Restless] = field(default_factory=dict)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def is_at_rest(self, file: LandedFile, ingested: str | None, patience: Patience) -> bool:
        """Whether nobody writes this file any more.

        Clocks of shares are wrong by hours, so the age of a file is believed only at first sight.
        One that was seen to change must be seen unchanged for long enough by our own clock: for
        longer the more often it was ingested too early.

        Args:
            file: As it lies in the landing zone now.
            ingested: The token of the write that the lake holds, if it holds one.
            patience: How long is long enough, and what time it is.
        """
        if patience.settle_seconds <= 0 or self.is_known(file, ingested):
            return True
        restless = self.restless_now(file, ingested, patience)
        changes = restless.changes if restless else 0
        if file.whole and changes <= FREE_CHANGES:
            return True
        times = changes - FREE_CHANGES if file.whole else changes
        longest = max(LONGEST_REST_SECONDS, patience.settle_seconds)
        rest = doubled(patience.settle_seconds, times, longest)
        seen = self.growing.get(file.name)
        if seen and seen.token == file.e_tag:
            return seen.rested or patience.now - seen.since >= rest
        known = seen.token if seen else ingested
        if changes > 1 or (known and same_file(known, file.e_tag)):
            return False
        return patience.now - file.written_at >= rest

    def is_known(self, file: LandedFile, ingested: str | None) -> bool:
        """Whether it is the write that the lake holds, as far as its token tells.

        Of a token of an older lake the bytes are compared, without a wait.
        """
        if file.e_tag in {ingested, self.identical.get(file.name)}:
            return True
        return ingested is not None and is_of_older_lake(ingested, file.e_tag)

    def seen_now(self, file: LandedFile, patience: Patience, *, rested: bool) -> Growing:
        """What to remember of a file that is not at rest, or came to rest and waits."""
        seen = self.growing.get(file.name)
        same = seen is not None and seen.token == file.e_tag
        since = min(seen.since, patience.now) if seen and same else patience.now
        return Growing(file.e_tag, since, rested)

    def restless_now(
        self, file: LandedFile, ingested: str | None, patience: Patience
    ) -> Restless | None:
        """What to remember of the changes of a file since it was ingested first."""
        before = self.restless.get(file.name)
        if before and not 0 <= patience.now - before.last < CALM_SECONDS:
            before = None
        if not ingested or self.is_known(file, ingested):
            return before
        if before and before.token == file.e_tag:
            return before
        changes, seen = before.changes if before else 0, self.growing.get(file.name)
        if seen and seen.token != ingested:  # it waits: what it held in between was not taken in
            return replace(before, token=file.e_tag, last=patience.now) if before else None
        return Restless(file.e_tag, changes + 1, patience.now)

    def days(self) -> set[str]:
        """The days (ISO dates) of whose files it knows anything."""
        known = (self.identical, self.growing, self.restless, self.unreadable)
        return {day for names in known for day in map(_day_of, names) if day}

    def after(self, landing: Landing, look: Memory) -> Memory:
        """This memory after a look, which replaces what it says of the days that it covered."""

        def merged(before: dict[str, _Seen], found: dict[str, _Seen]) -> dict[str, _Seen]:
            kept = {name: seen for name, seen in before.items() if not _covers(landing, name)}
            return {**kept, **found}

        return replace(
            self,
            identical=merged(self.identical, look.identical),
            growing=merged(self.growing, look.growing),
            restless=merged(self.restless, look.restless),
            unreadable=merged(self.unreadable, look.unreadable),
            missing=look.missing if landing.whole else self.missing,
        )


def _covers(landing: Landing, name: str) -> bool:
    day = _day_of(name)
    return day is None or landing.covers(day)  # what no look covers would stay for ever


def _day_of(name: str) -> str | None:
    try:
        return landed_day(name).isoformat()
    except SurveyError:  # a damaged document
        return None


def read_memory(store: ObjectStore, key: str = MEMORY_KEY) -> Memory:
    """What the looks so far remember; nothing when there were none, or it is damaged.

    Raises:
        StorageError: The store refuses: a look that took that for nothing would forget, and write
            so, which days it did not believe to be gone.
    """
    try:
        return record_of(Memory, store.read_json(key) or {}, key, remedy="delete it")
    except DamagedError:
        return Memory()


def write_memory(store: ObjectStore, memory: Memory, key: str = MEMORY_KEY) -> None:
    """Keep it for the next look.

    Raises:
        StorageError: The store refuses.
    """
    store.write_json(key, asdict(memory))
