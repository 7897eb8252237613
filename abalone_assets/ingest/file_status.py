"""What became of each survey file: the landing zone beside what the lake says of it.

``abalone status FILE``, ``abalone status DAY`` and the page ``/surveys`` read it here. Whatever is
asked costs what it shows, however many files there are: names are listed once for each change of
the folder, and the files of a day are read from the manifest when the day is shown.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Protocol, Self, TypeVar

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.ingest.landed_names import LandedNames
from abalone_assets.ingest.memory import MEMORY_KEYS, Memory, Patience, read_memory
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.partitions import partition_of
from abalone_assets.lake.lake import Lake
from abalone_assets.survey import MAX_FILE_BYTES, SURVEYS, FileKind, kind_of_file, landed_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abalone_assets.ingest.landing_zone import LandedFile, LandingZone
    from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest
    from abalone_assets.settings.platform import Settings
    from abalone_assets.storage.object_store import ObjectStore

_Holder = TypeVar("_Holder", bound="Holder")

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
        "lake keeps its rows until the files are back, or somebody says `abalone forget`"
    ),
}
"""What each state means, where the file itself does not tell more."""


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
class FilePage:
    """Some files, newest first.

    Attributes:
        files: What became of each.
        older: The name that the next page begins before, or None on the last one.
    """

    files: list[FileStatus]
    older: str | None


class Holder(Protocol):
    """What holds the rows of one kind of files: the lake, or its records of animals."""

    @property
    def store(self) -> ObjectStore:
        """The lake's store."""

    def manifest(self) -> Manifest:
        """What it holds."""


class LandedFiles(Generic[_Holder]):
    """What became of the files of one kind in a landing zone, as it is at this moment.

    Args:
        zone: Where they land.
        lake: What holds their rows.
        first_day: The first partition.
        patience: How long a file must rest.
        names: The landing zone's names of this kind, when they were listed before.
        kind: Of the files.
    """

    def __init__(
        self,
        zone: LandingZone,
        lake: _Holder,
        first_day: date,
        patience: Patience,
        names: LandedNames | None = None,
        *,
        kind: FileKind = SURVEYS,
    ) -> None:
        self.zone = zone
        self.lake = lake
        self.kind = kind
        self._partitions = (first_day, datetime.now(UTC).date())
        self._patience = patience
        self._names = names or LandedNames(zone, kind)

    @cached_property
    def manifest(self) -> Manifest:
        """What the lake holds."""
        return self.lake.manifest()

    @cached_property
    def _memory(self) -> Memory:
        return read_memory(self.lake.store, MEMORY_KEYS[self.kind])

    def file(self, name: str) -> FileStatus:
        """What became of a file.

        Raises:
            SurveyError: It is neither in the landing zone nor in the lake.
            StorageError: One of them cannot be read.
        """
        try:
            day = landed_day(name).isoformat()
        except SurveyError as error:
            return self._stray(name, error)
        if kind_of_file(name) is not self.kind:
            raise SurveyError(f"{name}: a file of this name is no {self.kind.form}")
        landed, entry = self.zone.find(name), self._entries(day).get(name)
        if landed is None and entry is None:
            raise SurveyError(
                f"{name}: no such file is in {self.zone.uri} or in the lake: it has not landed, or "
                "was deleted, and the ingestion after that took its rows out; "
                f"`abalone status {day}` shows the files of its day"
            )
        return self._status(day, name, landed, entry)

    def day(self, day: date) -> list[FileStatus]:
        """What became of the files of a survey day, in the order of their names.

        Raises:
            StorageError: The landing zone or the lake cannot be read.
        """
        landed = {
            file.name: file for file in self.zone.list_day(day, self.kind) if _is_of(day, file.name)
        }
        entries = self._entries(day.isoformat())
        return [
            self._status(day.isoformat(), name, landed.get(name), entries.get(name))
            for name in sorted({*landed, *entries})
        ]

    def page(
        self,
        limit: int,
        *,
        before: str | None = None,
        remarkable: bool = False,
        day: date | None = None,
    ) -> FilePage:
        """The newest files.

        Args:
            limit: How many at most, from 1.
            before: Only files whose names sort before this one.
            remarkable: Only ingested files of which there is more to say than how many rows they
                have: those with quarantined rows, refused, held, or with a note.
            day: Only files of this survey day.

        Raises:
            SurveyError: ``before`` is no survey file's name.
            StorageError: The landing zone or the lake cannot be read.
        """
        found: list[FileStatus] = []
        for of_day, name in self._newest_first(before, day, remarkable=remarkable):
            entry = self._entries(of_day).get(name)
            if remarkable and not (entry and _is_remarkable(entry)):
                continue
            landed = self.zone.find(name)
            if landed is None and entry is None:
                continue  # a link or a folder of such a name, or deleted since
            if len(found) == limit:
                return FilePage(found, older=found[-1].name)
            found.append(self._status(of_day, name, landed, entry))
        return FilePage(found, older=None)

    def strays(self, limit: int) -> tuple[list[FileStatus], int]:
        """Some of what lies in the landing zone and is no survey, and how many there are.

        Raises:
            StorageError: The landing zone cannot be read.
        """
        others = self._names.sorted().others
        return [self._stray(name) for name in others[:limit]], len(others)

    def _newest_first(
        self, before: str | None, only: date | None, *, remarkable: bool
    ) -> Iterator[tuple[str, str]]:
        landed, summaries = self._names.sorted().days, self.manifest.summaries
        days = sorted({*landed, *(day for day, each in summaries.items() if each.files)})
        if only is not None:
            days = [day for day in days if day == only.isoformat()]
        if before is not None:
            last = landed_day(before).isoformat()
            days = days[: bisect_left(days, f"{last}~")]  # its own day too
        for day in reversed(days):
            summary = summaries.get(day)
            if remarkable and not (summary and (summary.quarantined or summary.remarks)):
                continue
            names = {*landed.get(day, ()), *self._entries(day)}
            for name in sorted(names, reverse=True):
                if before is None or name < before:
                    yield day, name

    def _entries(self, day: str) -> dict[str, IngestedFile]:
        known: IngestedDay | None = self.manifest.days.get(day)
        return {file.name: file for file in known.files} if known else {}

    def _stray(self, name: str, error: SurveyError | None = None) -> FileStatus:
        if error is None:
            try:
                landed_day(name)
            except SurveyError as found:
                error = found
        if name not in self._names.sorted().others:
            raise SurveyError(f"{name}: no such file is in {self.zone.uri}; {error}")
        return FileStatus(name, None, "stray", str(error))

    def _status(
        self, day: str, name: str, landed: LandedFile | None, entry: IngestedFile | None
    ) -> FileStatus:
        state, why = self._judged(day, name, landed, entry)
        return FileStatus(name, day, state, why or WHY[state], landed, entry)

    def _judged(
        self, day: str, name: str, landed: LandedFile | None, entry: IngestedFile | None
    ) -> tuple[State, str]:
        try:
            partition_of(name, *self._partitions)
        except SurveyError as error:
            future = date.fromisoformat(day) > self._partitions[1]
            return ("waits" if future else "stray"), str(error)
        summary = self.manifest.summaries.get(day)
        if summary is not None and summary.being_written:
            return "being_ingested", ""
        if landed is None:
            return ("missing" if day in self._memory.missing else "gone"), ""
        if entry is None or not self._is_ingested(landed, entry):
            return self._pending(landed, entry)
        return _taken_in(entry)

    def _pending(self, landed: LandedFile, entry: IngestedFile | None) -> tuple[State, str]:
        failed = self._memory.unreadable.get(landed.name)
        if failed and failed.token == landed.e_tag:
            return "unreadable", f"{failed.problem}; it is tried again"
        token = entry.e_tag if entry else None
        seen = landed.name in self._memory.growing
        if seen and not self._memory.is_at_rest(landed, token, self._patience):
            return "growing", ""
        return ("changed" if entry else "to_ingest"), ""

    def _is_ingested(self, landed: LandedFile, entry: IngestedFile) -> bool:
        """Whether the lake has these bytes; they are read only when their token leaves it open."""
        if self._memory.is_known(landed, entry.e_tag or None):
            return True
        if landed.size != entry.size or landed.size > MAX_FILE_BYTES or not entry.e_tag:
            return False
        try:
            return hashlib.sha256(self.zone.read(landed.name)).hexdigest() == entry.sha256
        except StorageError:
            return False


class SurveyFiles(LandedFiles[Lake]):
    """What became of the survey files of a landing zone, as it is at this moment."""

    @classmethod
    def of(cls, settings: Settings, names: LandedNames | None = None) -> Self:
        """Those of the landing zone and the lake that the settings name.

        Raises:
            SettingsError: An SSM parameter is missing or cannot be read.
        """
        zone = names.zone if names else open_landing_zone(settings.landing_zone_uri)
        patience = Patience(**settings.patience)
        lake = Lake(settings.lake_uri)
        return cls(zone, lake, settings.first_survey_day, patience, names)


def _is_of(day: date, name: str) -> bool:
    try:
        return landed_day(name) == day
    except SurveyError:
        return False


def _is_remarkable(entry: IngestedFile) -> bool:
    return bool(entry.quarantined or entry.problem or entry.held or entry.notes)


def _taken_in(entry: IngestedFile) -> tuple[State, str]:
    """What became of a file that the lake has as it landed."""
    if entry.problem:
        return "refused", entry.problem
    if entry.held:
        return "held", entry.held
    return "ingested", "" if entry.rows else "none of its rows could be used"
