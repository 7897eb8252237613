"""Which survey days are due: those whose files differ from what the manifest says of them.

Level-triggered: it compares what should be with what is, so a new, late, rewritten, deleted or
same-second file is one and the same case, and no event can be lost.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from abalone_assets.back_off import doubled
from abalone_assets.errors import StorageError
from abalone_assets.ingest.memory import (
    LONGEST_RETRY_SECONDS,
    Growing,
    Memory,
    Patience,
    Restless,
    Unreadable,
)
from abalone_assets.lake.manifest import landed_digest
from abalone_assets.survey import MAX_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abalone_assets.ingest.landing_zone import LandedFile, Landing
    from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest

MAX_COMPARED_FILES: Final = 200
MAX_COMPARED_BYTES: Final = 2**28
"""Rewritten files read at one look to see whether their bytes changed; the rest wait."""

MAX_VANISHED_DAYS: Final = 10
"""Days that may lose all their files at once, while at least as many keep theirs."""


@dataclass(frozen=True)
class Due:
    """The survey days that need ingestion.

    Attributes:
        days: ISO dates, in order.
        undecided: Rewritten files left for the next look.
        vanished: Days whose files are gone in a way that is not believed: see `missing_days`. They
            keep what the lake holds of them until a person forgets them. Those of them that were
            revoked are due, to be ingested from what the lake held.
        growing: Files that may still be written; their days are not due because of them.
        unreadable: Files that could not be read, and are tried again later.
        memory: What the next look should know of single files.
    """

    days: tuple[str, ...]
    undecided: int = 0
    vanished: tuple[str, ...] = ()
    growing: tuple[str, ...] = ()
    unreadable: Mapping[str, Unreadable] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory, compare=False)

    @property
    def settled(self) -> bool:
        """Whether the lake holds what has landed, and only a write can change that."""
        return not (self.days or self.undecided or self.vanished or self.growing or self.unreadable)


def find_due(
    landing: Landing,
    manifest: Manifest,
    read: Callable[[str], bytes],
    *,
    memory: Memory | None = None,
    patience: Patience | None = None,
) -> Due:
    """Compare the landing zone with the manifest, for the days that the landing was looked at.

    Args:
        landing: What has landed.
        manifest: What the lake holds.
        read: Reads a landed file; called only for files rewritten with their size unchanged, and
            for those that could not be read before.
        memory: What the looks before know of single files: `Due.memory`, merged by `Memory.after`.
        patience: How long a file must rest before it counts; without it no file must.
    """
    memory = memory or Memory()
    comparison = _Comparison(read, memory, patience or Patience())
    known = {
        day
        for day, summary in manifest.summaries.items()
        if landing.covers(day) and (summary.files or summary.being_written)
    }
    vanished = missing_days(landing, manifest, memory)
    if vanished:  # nor is one believed to be gone of which nobody knows what it held
        known = {day for day in known if manifest.summaries[day].files or day in landing.days}
    remembered = memory.days()
    revoked = {
        day
        for day in vanished
        if manifest.summaries[day].being_written
        and (landing.whole or day in memory.missing)
        and manifest.last_files(day)
    }
    days = [
        day
        for day in sorted((known | landing.days.keys()) - (set(vanished) - revoked))
        if (day in remembered or _may_differ(landing.days.get(day, ()), manifest, day))
        and comparison.differs(landing.days.get(day, ()), manifest.days.get(day))
    ]
    return Due(
        days=tuple(days),
        undecided=comparison.undecided,
        vanished=vanished,
        growing=tuple(sorted(comparison.growing)),
        unreadable=comparison.unreadable,
        memory=Memory(
            identical=comparison.confirmed,
            growing=comparison.seen,
            restless=comparison.restless,
            unreadable=comparison.unreadable,
            missing=vanished,
        ),
    )


def missing_days(
    landing: Landing, manifest: Manifest, memory: Memory | None = None
) -> tuple[str, ...]:
    """The days whose files are gone in a way that looks like a fault of the landing zone.

    A share that is not mounted shows an empty folder, a mistyped prefix lists nothing, and a share
    that was restored from an old copy lacks everything since. So files count as deleted only while
    other surveys remain: at least as many days as are gone, and not only older ones when several
    are gone. A look at some days only never tells. With days that are gone, those that only lost
    files are not believed either.

    What was not believed once is not believed later, because surveys have landed meanwhile in what
    may be another place or the old copy: the days come back, or a person forgets them.
    """
    had = {
        day: summary.files
        for day, summary in manifest.summaries.items()
        if summary.files and landing.covers(day)
    }
    gone, left = had.keys() - landing.days.keys(), had.keys() & landing.days.keys()
    if not gone:
        return ()
    rolled_back = len(gone) > 1 and bool(left) and min(gone) > max(left)
    doubted = rolled_back or not gone.isdisjoint(memory.missing if memory else ())
    if landing.whole and len(gone) <= min(MAX_VANISHED_DAYS, len(left)) and not doubted:
        return ()
    fewer = (day for day in left if len(landing.days[day]) < had[day])
    shrunk = {
        day
        for day in fewer
        if {file.name for file in landing.days[day]}
        < {file.name for file in manifest.last_files(day)}
    }
    return tuple(sorted(gone | shrunk))


def _may_differ(landed: tuple[LandedFile, ...], manifest: Manifest, day: str) -> bool:
    """Whether more than a listing is needed to tell: nothing is read of a day that is as it was."""
    summary = manifest.summaries.get(day)
    return summary is None or summary.landed != landed_digest(landed)


class _Comparison:
    def __init__(self, read: Callable[[str], bytes], memory: Memory, patience: Patience) -> None:
        self.read = read
        self.memory = memory
        self.patience = patience
        self.confirmed: dict[str, str] = {}
        self.growing: set[str] = set()
        self.seen: dict[str, Growing] = {}
        self.restless: dict[str, Restless] = {}
        self.unreadable: dict[str, Unreadable] = {}
        self.compared_files = 0
        self.compared_bytes = 0
        self.undecided = 0

    def differs(self, landed: tuple[LandedFile, ...], day: IngestedDay | None) -> bool:
        known = {file.name: file for file in day.files} if day else {}
        resting = [file for file in landed if self._is_at_rest(file, known.get(file.name))]
        if day is None:
            return bool(resting)
        if not day.digest:
            return True
        growing = {file.name for file in landed} - {file.name for file in resting}
        if {file.name for file in resting} != known.keys() - growing:
            return True
        pairs = [(file, known[file.name]) for file in resting]
        if any(file.size != ingested.size and ingested.e_tag for file, ingested in pairs):
            return True
        # Every rewritten file is looked at, so that what is remembered of each is complete.
        rewritten = [pair for pair in pairs if pair[0].e_tag != pair[1].e_tag]
        differing = [pair for pair in rewritten if self._content_differs(*pair)]
        return bool(differing)

    def _is_at_rest(self, file: LandedFile, ingested: IngestedFile | None) -> bool:
        token, memory = ingested.e_tag if ingested else None, self.memory
        if restless := memory.restless_now(file, token, self.patience):
            self.restless[file.name] = restless
        at_rest = memory.is_at_rest(file, token, self.patience)
        if not at_rest:
            self.growing.add(file.name)
        if not at_rest or (file.name in memory.growing and not memory.is_known(file, token)):
            self.seen[file.name] = memory.seen_now(file, self.patience, rested=at_rest)
        return at_rest

    def _content_differs(self, file: LandedFile, ingested: IngestedFile) -> bool:
        if file.size > MAX_FILE_BYTES:
            return True
        failed = self.memory.unreadable.get(file.name)
        if failed and failed.token == file.e_tag and self.patience.now < failed.retry_at:
            self.unreadable[file.name] = failed
            return False
        if not ingested.e_tag or self.memory.identical.get(file.name) != file.e_tag:
            if (
                self.compared_files >= MAX_COMPARED_FILES
                or self.compared_bytes >= MAX_COMPARED_BYTES
            ):
                self.undecided += 1
                return False
            self.compared_files += 1
            self.compared_bytes += file.size
            try:
                sha256 = hashlib.sha256(self.read(file.name)).hexdigest()
            except StorageError as error:
                return self._is_news(file, ingested, failed, str(error))
            if sha256 != ingested.sha256 or not ingested.e_tag:
                return True
        self.confirmed[file.name] = file.e_tag
        return False

    def _is_news(
        self, file: LandedFile, ingested: IngestedFile, failed: Unreadable | None, problem: str
    ) -> bool:
        """Remember a file that cannot be read; its day is due once, to record the problem."""
        before = failed.failures if failed and failed.token == file.e_tag else 0
        wait = doubled(self.patience.retry_seconds, before, LONGEST_RETRY_SECONDS)
        self.unreadable[file.name] = Unreadable(
            file.e_tag, problem, before + 1, self.patience.now + wait
        )
        return bool(ingested.e_tag) and not before
