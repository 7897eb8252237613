"""What became of a survey file: how it landed, beside what the lake says of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.ingest.partitions import partition_of
from abalone_assets.ingest.reconcile import missing_days
from abalone_assets.survey import ANIMALS, MAX_FILE_BYTES, FileKind, kind_of_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.ingest.landing_zone import LandedFile, LandingZone
    from abalone_assets.ingest.memory import Memory, Patience
    from abalone_assets.lake.manifest import IngestedFile, Manifest

State = Literal[
    "ingested",
    "held",
    "refused",
    "being_ingested",
    "to_ingest",
    "changed",
    "growing",
    "unreadable",
    "waits",
    "stray",
    "gone",
    "missing",
]

WHY: Final[Mapping[State, str]] = {
    "ingested": "its rows are in the lake",
    "being_ingested": "a run writes its day into the lake now, or died while it did",
    "to_ingest": "it has landed, and its day is due for ingestion",
    "changed": "it was written again since it was ingested, and its day is due for ingestion",
    "growing": "it was still being written when a sensor last looked; it is taken in when it rests",
    "gone": "it is no longer in the landing zone; the next ingestion of its day takes its rows out",
    "missing": (
        "it is missing in the landing zone with its whole day, as when a share is not mounted: the "
        "lake keeps its rows until the files are back, or somebody says `{forget}`"
    ),
}
"""What each state means, where the file itself does not tell more."""


def forget_command(name: str) -> str:
    """What lets go of the days of files such as this one, whose name follows."""
    return "abalone forget --animals" if kind_of_file(name) is ANIMALS else "abalone forget"


@dataclass(frozen=True)
class FileStatus:
    """What became of one file.

    Attributes:
        name: Its name in the landing zone.
        day: Its survey day, an ISO date; None for a stray file.
        state: What became of it, in a word.
        why: The same in a sentence.
        landed: As it lies in the landing zone now; None when it does not.
        ingested: As the lake has it; None when it does not. Of a changed file that is what it was.
    """

    name: str
    day: str | None
    state: State
    why: str
    landed: LandedFile | None = None
    ingested: IngestedFile | None = None

    @property
    def rows(self) -> int:
        """Its rows in the lake."""
        return self.ingested.rows if self.ingested else 0

    @property
    def quarantined(self) -> int:
        """Its quarantined rows."""
        return self.ingested.quarantined if self.ingested else 0

    @property
    def is_settled(self) -> bool:
        """Whether the lake holds what the file says."""
        return self.state == "ingested"

    @property
    def notes(self) -> tuple[str, ...]:
        """How it was understood, and what is odd about it, a sentence each."""
        return self.ingested.notes if self.ingested else ()

    @property
    def landed_at(self) -> datetime | None:
        """When it was last written, by the storage's clock."""
        if self.landed is None or not self.landed.written_at:
            return None
        return datetime.fromtimestamp(self.landed.written_at, UTC)

    def to_document(self) -> dict[str, Any]:
        """The status as a JSON document."""
        entry, at = self.ingested, self.landed_at
        return {
            "file": self.name,
            "day": self.day,
            "state": self.state,
            "why": self.why,
            "rows": self.rows,
            "quarantined": self.quarantined,
            "held_rows": entry.held_rows if entry else 0,
            "odd_animals": entry.odd_animals if entry else 0,
            "origin": entry.origin if entry else None,
            "sha256": entry.sha256 if entry and entry.e_tag else None,
            "bytes": self.landed.size if self.landed else entry.size if entry else None,
            "landed_at": at and at.isoformat(timespec="seconds"),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Evidence:
    """What the status of every file is told from, as it is at one moment.

    Attributes:
        kind: Of the files.
        zone: Where they land.
        manifest: What the lake holds of them.
        memory: What the sensor's looks remember of them.
        patience: How long a file must rest.
        first_day: The first partition.
        last_day: The last partition.
    """

    kind: FileKind
    zone: LandingZone
    manifest: Manifest
    memory: Memory
    patience: Patience
    first_day: date
    last_day: date

    @cached_property
    def missing(self) -> frozenset[str]:
        """The days whose files are gone in a way that the next look will not believe."""
        landing = self.zone.scan(self.first_day, self.last_day, kind=self.kind)
        return frozenset(missing_days(landing, self.manifest, self.memory))

    def status(
        self, day: str, name: str, landed: LandedFile | None, entry: IngestedFile | None
    ) -> FileStatus:
        """What became of a file.

        Args:
            day: Its survey day, an ISO date.
            name: Its name.
            landed: As it lies in the landing zone; None when it does not.
            entry: As the lake has it; None when it does not.

        Raises:
            StorageError: It does not lie there, and the landing zone cannot be listed.
        """
        state, why = self._judged(day, name, landed, entry)
        said = why or WHY[state].format(forget=forget_command(name))
        return FileStatus(name, day, state, said, landed, entry)

    def _judged(
        self, day: str, name: str, landed: LandedFile | None, entry: IngestedFile | None
    ) -> tuple[State, str]:
        try:
            partition_of(name, self.first_day, self.last_day)
        except SurveyError as error:
            future = date.fromisoformat(day) > self.last_day
            return ("waits" if future else "stray"), str(error)
        summary = self.manifest.summaries.get(day)
        if summary is not None and summary.being_written:
            return "being_ingested", ""
        if landed is None:
            is_missing = day in self.memory.missing or day in self.missing
            return ("missing" if is_missing else "gone"), ""
        if entry is None or not self._is_ingested(landed, entry):
            return self._pending(landed, entry)
        return _taken_in(entry)

    def _pending(self, landed: LandedFile, entry: IngestedFile | None) -> tuple[State, str]:
        failed = self.memory.unreadable.get(landed.name)
        if failed and failed.token == landed.e_tag:
            return "unreadable", f"{failed.problem}; it is tried again"
        token = entry.e_tag if entry else None
        seen = landed.name in self.memory.growing
        if seen and not self.memory.is_at_rest(landed, token, self.patience):
            return "growing", ""
        return ("changed" if entry else "to_ingest"), ""

    def _is_ingested(self, landed: LandedFile, entry: IngestedFile) -> bool:
        """Whether the lake has these bytes; they are read only when their token leaves it open."""
        if self.memory.is_known(landed, entry.e_tag or None):
            return True
        if landed.size != entry.size or landed.size > MAX_FILE_BYTES or not entry.e_tag:
            return False
        try:
            return hashlib.sha256(self.zone.read(landed.name)).hexdigest() == entry.sha256
        except StorageError:
            return False


def _taken_in(entry: IngestedFile) -> tuple[State, str]:
    """What became of a file that the lake has as it landed."""
    if entry.problem:
        return "refused", entry.problem
    if entry.held:
        return "held", entry.held
    return "ingested", "" if entry.rows else "none of its rows could be used"
