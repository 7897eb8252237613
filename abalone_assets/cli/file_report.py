"""What `abalone status FILE` and `abalone status DAY` know."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self

from abalone_assets.cli.instance import driver_of
from abalone_assets.errors import SurveyError
from abalone_assets.ingest.animals_files import AnimalsFiles
from abalone_assets.ingest.file_status import FileStatus, forget_command
from abalone_assets.ingest.landed_files import SurveyFiles
from abalone_assets.ingest.landing_zone import aged_key
from abalone_assets.ingest.marked_survey import quarantined_rows
from abalone_assets.lake.names import QUARANTINED_ANIMALS
from abalone_assets.registry.file_releases import FileReleases
from abalone_assets.registry.open import open_registry
from abalone_assets.survey import ANIMALS, kind_of_file, parse_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.registry.file_releases import FileRelease
    from abalone_assets.settings.platform import Settings
    from abalone_assets.survey import QuarantinedRow


@dataclass(frozen=True)
class FileReport:
    """What became of one survey file.

    Attributes:
        status: Where it is.
        release: How far it has come on its way into a model; None when it adds nothing to one.
        bad_rows: Its quarantined rows.
        driver: What drives the sensors now; None when nothing does.
        ages: Where the ages of animals without rings are, or what they wait for; None of a survey.
    """

    status: FileStatus
    release: FileRelease | None
    bad_rows: list[QuarantinedRow]
    driver: str | None
    ages: str | None = None

    def next_step(self) -> str:  # noqa: PLR0911 - a state each
        """What the user would do now."""
        name = self.status.name
        match self.status.state:
            case "held":
                return (
                    f"land {name} again, corrected (`abalone land --force`), or say that it is "
                    f'right: `abalone accept {name} --because "…"`'
                )
            case "refused" if self.ages is not None:
                return (
                    f"mend {name} and put it into the landing zone again, under this name or the "
                    "one that the reason gives; as it is, nothing of it is used"
                )
            case "refused":
                return (
                    f"mend {name} and land it again: `abalone land --force {name}`; as it is, "
                    "nothing of it is used, and there is nothing to accept"
                )
            case "stray":
                named = f"give {name} a survey's name"
                if self.ages is not None:
                    named = f"call {name} {ANIMALS.form}"
                return f"{named}, or take it out of the landing zone"
            case "missing":
                return (
                    "bring the landing zone's files back (is it mounted?), or say that they were "
                    f"deleted on purpose: `{forget_command(name)} {self.status.day}`"
                )
            case "gone":
                return self._driven(f"nothing to do, or land {name} again to keep its rows")
            case "waits":
                return "nothing to do: it is ingested when its day has come, UTC"
            case "ingested":
                return self._next_when_ingested()
        return self._driven("nothing to do")

    def _next_when_ingested(self) -> str:
        if self.ages is not None:
            return self.ages
        if self.bad_rows:
            return (
                f"mend the quarantined rows in {self.status.name} and land it again (`abalone land "
                "--force`), or leave them out"
            )
        if self.release is not None and not self.release.released:
            return self._driven("nothing to do")
        return "nothing to do"

    def _driven(self, nothing: str) -> str:
        if self.driver is None:
            return "`abalone dev` goes on with it: nothing drives the sensors of this home now"
        return f"{nothing}: {self.driver} is at work on what is pending"

    def to_document(self) -> dict[str, Any]:
        """The report as a JSON document."""
        return {
            **self.status.to_document(),
            "release": self.release and self.release.to_document(),
            "quarantined_rows": [asdict(row) for row in self.bad_rows],
            **({} if self.ages is None else {"ages": self.ages}),
            "next": self.next_step(),
        }


@dataclass(frozen=True)
class DayReport:
    """What became of the files of a survey day."""

    day: str
    files: list[FileReport]

    def to_document(self) -> dict[str, Any]:
        """The report as a JSON document."""
        return {"day": self.day, "files": [file.to_document() for file in self.files]}


@dataclass(frozen=True)
class _Reader:
    files: SurveyFiles
    settings: Settings
    driver: str | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(SurveyFiles.of(settings), settings, driver_of(settings))

    def reports(self, found: Sequence[FileStatus]) -> list[FileReport]:
        releases = FileReleases(self.files.lake, open_registry(self.settings))
        return [
            FileReport(
                status,
                release,
                self._bad_rows(status),
                self.driver,
            )
            for status, release in zip(found, releases.of_all(found), strict=True)
        ]

    def animals_report(self, files: AnimalsFiles, status: FileStatus) -> FileReport:
        rows: list[QuarantinedRow] = []
        if status.quarantined and status.day is not None:
            lake = files.lake
            rows = quarantined_rows(lake, status.day, status.name, asset=QUARANTINED_ANIMALS)
        ages = "none"
        if files.ages_of(status) is not None:
            ages = f"the ages are in {files.zone.uri}/{aged_key(status.name)}"
        elif status.rows:
            ages = "its animals wait for a model that is live"
        elif status.state == "ingested":
            ages = "none: it has no animals"
        return FileReport(status, None, rows, self.driver, ages)

    def _bad_rows(self, status: FileStatus) -> list[QuarantinedRow]:
        if status.day is None or not status.quarantined:
            return []
        return quarantined_rows(self.files.lake, status.day, status.name)


def report_on(subject: str, settings: Settings) -> FileReport | DayReport:
    """What became of a file, by its name or a path to it, or of all files of a day, YYYY-MM-DD.

    Raises:
        SurveyError: There is nothing of that name or day.
        StorageError: The landing zone, the lake or the registry cannot be read.
    """
    reader, animals = _Reader.of(settings), AnimalsFiles.of(settings)
    try:
        day = parse_day(subject)
    except SurveyError as no_day:
        name = PurePath(subject).name
        try:
            if kind_of_file(name) is ANIMALS:
                return reader.animals_report(animals, animals.file(name))
            return reader.reports([reader.files.file(name)])[0]
        except SurveyError as no_file:
            if not subject[:1].isdigit():  # as the names of surveys are not
                raise
            raise SurveyError(f"{no_day}; nor is it a file: {no_file}") from no_file
    reports = reader.reports(reader.files.day(day))
    reports += [reader.animals_report(animals, status) for status in animals.day(day)]
    if not reports:
        raise SurveyError(
            f"{day}: no file of this day is in {reader.files.zone.uri} or in the lake: none has "
            "landed, or they were deleted, and the ingestion after that took their rows out"
        )
    return DayReport(day.isoformat(), reports)
