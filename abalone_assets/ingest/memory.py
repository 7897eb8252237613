"""What looks at the landing zone remember of single files, in a document of the lake.

It is too much for a sensor's cursor, of which every tick keeps a copy. Losing it costs a second
look, nothing else.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.ingest.landing_zone import same_file
from abalone_assets.storage.records import record_of
from abalone_assets.survey import survey_day

if TYPE_CHECKING:
    from abalone_assets.ingest.landing_zone import LandedFile, Landing
    from abalone_assets.storage.object_store import ObjectStore

MEMORY_KEY: Final = "landing_zone/_looks.json"
LONGEST_RETRY_SECONDS: Final = 3600.0

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
    """A file that may still be written: the token that it had, and since when by our clock."""

    token: str
    since: float


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
    """What is known of single files, by name.

    Attributes:
        identical: Tokens of files that were written again with the bytes that the lake holds.
        growing: Files that wait until they come to rest.
        unreadable: Files that are tried again later.
    """

    identical: dict[str, str] = field(default_factory=dict)
    growing: dict[str, Growing] = field(default_factory=dict)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)

    def is_at_rest(self, file: LandedFile, ingested: str | None, patience: Patience) -> bool:
        """Whether nobody writes this file any more.

        Clocks of shares are wrong by hours, so the age of a file is believed only at first sight.
        One that was seen to change must be seen unchanged for long enough by our own clock.

        Args:
            file: As it lies in the landing zone now.
            ingested: The token of the write that the lake holds, if it holds one.
            patience: How long is long enough, and what time it is.
        """
        if file.whole or patience.settle_seconds <= 0 or file.e_tag == ingested:
            return True
        seen = self.growing.get(file.name)
        if seen and seen.token == file.e_tag:
            return patience.now - seen.since >= patience.settle_seconds
        known = seen.token if seen else ingested
        if known and same_file(known, file.e_tag):
            return False
        return patience.now - file.written_at >= patience.settle_seconds

    def still_growing(self, file: LandedFile, patience: Patience) -> Growing:
        """What to remember of a file that is not at rest."""
        seen = self.growing.get(file.name)
        if seen and seen.token == file.e_tag and seen.since <= patience.now:
            return seen
        return Growing(file.e_tag, patience.now)

    def after(self, landing: Landing, look: Memory) -> Memory:
        """This memory after a look, which replaces what it says of the days that it covered."""

        def merged(before: dict[str, _Seen], found: dict[str, _Seen]) -> dict[str, _Seen]:
            kept = {name: seen for name, seen in before.items() if not _covers(landing, name)}
            return {**kept, **found}

        return replace(
            self,
            identical=merged(self.identical, look.identical),
            growing=merged(self.growing, look.growing),
            unreadable=merged(self.unreadable, look.unreadable),
        )


def _covers(landing: Landing, name: str) -> bool:
    try:
        return landing.covers(survey_day(name).isoformat())
    except SurveyError:  # a damaged document; what no look covers would stay for ever
        return True


def read_memory(store: ObjectStore) -> Memory:
    """What the looks so far remember; nothing when there were none, or it cannot be read."""
    try:
        return record_of(Memory, store.read_json(MEMORY_KEY) or {}, MEMORY_KEY, remedy="delete it")
    except StorageError:
        return Memory()


def write_memory(store: ObjectStore, memory: Memory) -> None:
    """Keep it for the next look.

    Raises:
        StorageError: The store refuses.
    """
    store.write_json(MEMORY_KEY, asdict(memory))
