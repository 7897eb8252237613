"""What tests of due days share: a landing zone in memory beside what a lake holds of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date

from abalone_assets.ingest.landing_zone import LandedFile, Landing
from abalone_assets.ingest.reconcile import Due, find_due
from abalone_assets.lake.manifest import (
    BEING_WRITTEN,
    IngestedDay,
    IngestedFile,
    Manifest,
    day_digest,
)

DAY, NEXT, OLD = "2025-03-03", "2025-03-04", "2023-06-01"
FIRST, LAST = date(2015, 1, 1), date(2025, 12, 31)


def name_of(day: str, second: int = 0) -> str:
    return f"abalone.{day.replace('-', '')}1200{second:02}"


FILE, TWIN = name_of(DAY), name_of(DAY, 1)


@dataclass
class World:
    """A landing zone in memory, and a lake that ingests what is due.

    Attributes:
        files: Bytes of each landed file; writing counts up its token.
        reads: Names of the files that were read to compare them.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=Manifest)
    reads: list[str] = field(default_factory=list)

    def write(self, name: str, data: bytes) -> None:
        self.files[name] = data
        self.tokens[name] = self.tokens.get(name, 0) + 1

    def landed(self, name: str) -> LandedFile:
        return LandedFile(name, len(self.files[name]), f"token {self.tokens[name]}")

    def landing(self, first: date = FIRST, last: date = LAST) -> Landing:
        days: dict[str, tuple[LandedFile, ...]] = {}
        for name in sorted(self.files):
            digits = name.removeprefix("abalone.")
            day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
            days[day] = (*days.get(day, ()), self.landed(name))
        seen = {day: files for day, files in days.items() if str(first) <= day <= str(last)}
        return Landing(str(first), str(last), seen, ())

    def read(self, name: str) -> bytes:
        self.reads.append(name)
        return self.files[name]

    def look(self, before: Due | None = None, first: date = FIRST, last: date = LAST) -> Due:
        return find_due(
            self.landing(first, last),
            self.manifest,
            self.read,
            memory=before.memory if before else None,
        )

    def revoke(self, day: str, *, gone: bool = False) -> None:
        if gone:
            del self.files[name_of(day)]
        self.manifest = replace(self.manifest, days={**self.manifest.days, day: BEING_WRITTEN})

    def ingest(self, *days: str) -> None:
        landing = self.landing()
        entries = {}
        for day in days:
            files = [
                IngestedFile(
                    file.name,
                    file.size,
                    file.e_tag,
                    hashlib.sha256(self.files[file.name]).hexdigest(),
                    rows=1,
                    quarantined=0,
                )
                for file in landing.days.get(day, ())
            ]
            entries[day] = IngestedDay(day_digest(files), tuple(files))
        self.manifest = replace(self.manifest, days={**self.manifest.days, **entries})


def two_days() -> World:
    """A day of two files and one of one file, both ingested."""
    world = World()
    world.write(FILE, b"one")
    world.write(TWIN, b"two")
    world.write(name_of(NEXT), b"next")
    world.ingest(DAY, NEXT)
    return world
