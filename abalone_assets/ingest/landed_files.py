"""What became of the files of one kind in a landing zone: one, those of a day, or the newest.

``abalone status FILE``, ``abalone status DAY`` and the page ``/surveys`` read it here. Whatever is
asked costs what it shows, however many files there are: names are listed once for each change of
the folder, and the files of a day are read from the manifest when the day is shown.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, Self, TypeVar

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.file_status import Evidence, FileStatus
from abalone_assets.ingest.landed_names import LandedNames
from abalone_assets.ingest.memory import MEMORY_KEYS, Patience, read_memory
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.lake import Lake
from abalone_assets.survey import SURVEYS, FileKind, kind_of_file, landed_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest
    from abalone_assets.settings.platform import Settings
    from abalone_assets.storage.object_store import ObjectStore

_Holder = TypeVar("_Holder", bound="Holder")


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


@dataclass
class LandedFiles(ABC, Generic[_Holder]):
    """What became of the files of one kind in a landing zone, as it is at this moment.

    Attributes:
        kind: Of the files.
        zone: Where they land.
        lake: The lake.
        first_day: The first partition.
        patience: How long a file must rest.
        names: The landing zone's names of this kind.
    """

    kind: ClassVar[FileKind]

    zone: LandingZone
    lake: Lake
    first_day: date
    patience: Patience
    names: LandedNames

    @classmethod
    def of(cls, settings: Settings, names: LandedNames | None = None) -> Self:
        """Those of the landing zone and the lake that the settings name.

        Args:
            settings: Of the platform.
            names: The names of this kind, when they were listed before.

        Raises:
            SettingsError: An SSM parameter is missing or cannot be read.
        """
        zone = names.zone if names else open_landing_zone(settings.landing_zone_uri)
        return cls(
            zone,
            Lake(settings.lake_uri),
            settings.first_survey_day,
            Patience(**settings.patience),
            names or LandedNames(zone, cls.kind),
        )

    @property
    @abstractmethod
    def holder(self) -> _Holder:
        """What of the lake holds the rows of these files."""

    @cached_property
    def manifest(self) -> Manifest:
        """What the lake holds."""
        return self.holder.manifest()

    @cached_property
    def _evidence(self) -> Evidence:
        memory = read_memory(self.holder.store, MEMORY_KEYS[self.kind])
        today = datetime.now(UTC).date()
        return Evidence(
            self.kind, self.zone, self.manifest, memory, self.patience, self.first_day, today
        )

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
        return self._evidence.status(day, name, landed, entry)

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
            self._evidence.status(day.isoformat(), name, landed.get(name), entries.get(name))
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
            found.append(self._evidence.status(of_day, name, landed, entry))
        return FilePage(found, older=None)

    def strays(self, limit: int) -> tuple[list[FileStatus], int]:
        """Some of what lies in the landing zone and is no survey, and how many there are.

        Raises:
            StorageError: The landing zone cannot be read.
        """
        others = self.names.sorted().others
        return [self._stray(name) for name in others[:limit]], len(others)

    def _newest_first(
        self, before: str | None, only: date | None, *, remarkable: bool
    ) -> Iterator[tuple[str, str]]:
        landed, summaries = self.names.sorted().days, self.manifest.summaries
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
        if name not in self.names.sorted().others:
            raise SurveyError(f"{name}: no such file is in {self.zone.uri}; {error}")
        return FileStatus(name, None, "stray", str(error))


class SurveyFiles(LandedFiles[Lake]):
    """What became of the survey files of a landing zone, as it is at this moment."""

    kind = SURVEYS

    @property
    def holder(self) -> Lake:
        """The lake itself."""
        return self.lake


def _is_of(day: date, name: str) -> bool:
    try:
        return landed_day(name) == day
    except SurveyError:
        return False


def _is_remarkable(entry: IngestedFile) -> bool:
    return bool(entry.quarantined or entry.problem or entry.held or entry.notes)
