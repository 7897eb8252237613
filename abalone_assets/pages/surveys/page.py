"""What became of each survey file: the list, a file's page with its bad rows, and its downloads."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Route

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.animals_files import AnimalsFiles
from abalone_assets.ingest.file_status import FileStatus, State
from abalone_assets.ingest.landed_files import SurveyFiles
from abalone_assets.ingest.landed_names import LandedNames
from abalone_assets.ingest.marked_survey import marked_survey, quarantined_rows
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.names import QUARANTINED_ANIMALS
from abalone_assets.pages.site import HEADERS
from abalone_assets.pages.surveys.downloads import (
    attachment,
    streamed_attachment,
    with_decimal_commas,
)
from abalone_assets.pages.surveys.list_query import ListQuery
from abalone_assets.pages.surveys.uploads import SURVEYS
from abalone_assets.registry.file_releases import FileReleases
from abalone_assets.survey import (
    ANIMALS,
    UnreadableSurveyError,
    kind_of_file,
    parse_day,
    parse_survey,
)
from abalone_assets.survey import SURVEYS as SURVEY_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from abalone_assets.lake.manifest import Manifest
    from abalone_assets.pages.site import Site
    from abalone_assets.pages.surveys.uploads import Uploads
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.settings.platform import Settings
    from abalone_assets.survey import FileKind, QuarantinedRow

SHOWN_FILES: Final = 50
SHOWN_ROWS: Final = 200
SHOWN_STRAYS: Final = 20
SHOWN_ANIMALS: Final = 20

REREAD_BYTES: Final = 2**20
"""Files up to this size are read again for the rows that they were refused for."""

LABELS: Final[Mapping[State, tuple[str, str]]] = {
    "ingested": ("taken in", "good"),
    "held": ("held", "warn"),
    "refused": ("refused", "bad"),
    "being_ingested": ("being taken in", ""),
    "to_ingest": ("waits to be taken in", ""),
    "changed": ("changed, waits to be taken in", ""),
    "growing": ("still being written", ""),
    "unreadable": ("cannot be read", "bad"),
    "waits": ("waits for its day", ""),
    "stray": ("no survey", "warn"),
    "gone": ("deleted", "warn"),
    "missing": ("missing", "bad"),
}
"""What a state is called on the pages, and how that looks."""


@dataclass(frozen=True)
class Surveys:
    """The survey files of a home.

    Attributes:
        settings: Where they land, and where their rows go.
        registry: What learnt from them.
        uploads: Takes more of them.
    """

    settings: Settings
    registry: ModelRegistry
    uploads: Uploads
    title: ClassVar[str] = "Surveys"
    path: ClassVar[str] = SURVEYS
    _names: LandedNames = field(init=False)
    _animals: LandedNames = field(init=False)
    _releases: FileReleases = field(init=False)

    def __post_init__(self) -> None:
        """Keep what is the same for all requests."""
        zone = open_landing_zone(self.settings.landing_zone_uri)
        object.__setattr__(self, "_names", LandedNames(zone))
        object.__setattr__(self, "_animals", LandedNames(zone, ANIMALS))
        object.__setattr__(self, "_releases", FileReleases(self._files().lake, self.registry))

    def routes(self, site: Site) -> Sequence[BaseRoute]:
        """The list, what finds a file or a day, the upload, and each file's page."""

        def index(request: Request) -> Response:
            return self._index(site, request)

        def one(request: Request) -> Response:
            return self._file(site, request)

        return [
            Route(self.path, index),
            Route(f"{self.path}/find", self._find),
            *self.uploads.routes(site),
            Route(f"{self.path}/{{name}}", one),
            Route(f"{self.path}/{{name}}/original", self._original),
            Route(f"{self.path}/{{name}}/marked", self._marked),
            Route(f"{self.path}/{{name}}/ages", self._ages),
        ]

    def _files(self) -> SurveyFiles:
        return SurveyFiles.of(self.settings, self._names)

    def _index(self, site: Site, request: Request) -> Response:
        files, asked = self._files(), ListQuery.of(request)
        animals = AnimalsFiles.of(self.settings, self._animals)
        page = asked.page_of(files, SHOWN_FILES, asked.before)
        animals_page = asked.page_of(animals, SHOWN_ANIMALS, asked.animals_before)
        strays, stray_count = files.strays(SHOWN_STRAYS) if asked.is_newest else ([], 0)
        names = [file.name for file in page.files]
        return site.render(
            "surveys/list.html.jinja",
            path=self.path,
            asked=asked,
            page=page,
            animals_page=animals_page,
            aged={file.name: animals.ages_of(file) for file in animals_page.files},
            labels=LABELS,
            versions=dict(zip(names, self._releases.versions_of(page.files), strict=True)),
            totals=_Totals.of(files.manifest),
            strays=strays,
            stray_count=stray_count,
            may_upload=self.uploads.is_on,
        )

    def _find(self, request: Request) -> Response:
        """The page of a file, or the files of a day."""
        wanted = request.query_params.get("what", "").strip()
        try:
            day = parse_day(wanted)
        except SurveyError:
            if not wanted:
                return RedirectResponse(self.path, HTTPStatus.SEE_OTHER, HEADERS)
            target = f"{self.path}/{quote(wanted, safe='')}"
        else:
            target = f"{self.path}?day={day}#files"
        return RedirectResponse(target, HTTPStatus.SEE_OTHER, HEADERS)

    def _file(self, site: Site, request: Request) -> Response:
        if kind_of_file(request.path_params["name"]) is ANIMALS:
            return self._animals_file(site, request)
        files, status = self._known(request)
        rows, count = self._bad_rows(files, status, SHOWN_ROWS)
        return site.render(
            "surveys/file.html.jinja",
            path=self.path,
            file=status,
            label=LABELS[status.state],
            release=self._releases.of(status),
            rows=rows,
            bad_rows_count=count,
            more_rows=count - len(rows),
            may_mark=bool(rows) and _is_as_ingested(status),
            landed_now="landed" in request.query_params,
            may_upload=self.uploads.is_on,
        )

    def _animals_file(self, site: Site, request: Request) -> Response:
        """The page of a file of animals without rings, with its bad rows."""
        files, status = self._known_animals(request)
        rows: list[QuarantinedRow] = []
        if status.quarantined and status.day is not None:
            rows = quarantined_rows(
                files.lake, status.day, status.name, SHOWN_ROWS, QUARANTINED_ANIMALS
            )
        return site.render(
            "surveys/animals.html.jinja",
            path=self.path,
            file=status,
            label=LABELS[status.state],
            aged=files.ages_of(status),
            rows=rows,
            more_rows=status.quarantined - len(rows),
            landed_now="landed" in request.query_params,
        )

    def _known_animals(self, request: Request) -> tuple[AnimalsFiles, FileStatus]:
        files, name = AnimalsFiles.of(self.settings, self._animals), request.path_params["name"]
        try:
            return files, files.file(name)
        except SurveyError as error:
            raise self._no_file(name, "Files of animals without rings", ANIMALS) from error

    def _ages(self, request: Request) -> Response:
        """The CSV of ages of a file of animals without rings."""
        name = request.path_params["name"]
        files, _ = self._known_animals(request)
        ages = files.zone.read_aged(name) if kind_of_file(name) is ANIMALS else None
        if ages is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"{name} has no ages yet")
        if request.query_params.get("decimal") == "comma":
            ages = with_decimal_commas(ages)
        return streamed_attachment(ages, f"{name}.csv")

    def _original(self, request: Request) -> Response:
        files, status = self._known(request)
        return attachment(_bytes_of(files, status), status.name)

    def _marked(self, request: Request) -> Response:
        files, status = self._known(request)
        if not _is_as_ingested(status):
            raise HTTPException(
                HTTPStatus.CONFLICT,
                f"{status.name} is not what was taken in: {status.why}; look at it again then",
            )
        data, (rows, _) = _bytes_of(files, status), self._bad_rows(files, status)
        try:
            return attachment(marked_survey(data, status.name, rows), f"{status.name}.marked.csv")
        except UnreadableSurveyError as error:
            raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error

    def _known(self, request: Request) -> tuple[SurveyFiles, FileStatus]:
        files, name = self._files(), request.path_params["name"]
        try:
            return files, files.file(name)
        except SurveyError as error:
            raise self._no_file(name, "Surveys", SURVEY_FILES) from error

    def _no_file(self, name: str, what: str, kind: FileKind) -> HTTPException:
        """That there is none; the reason that others are given names places of this machine."""
        message = (
            f"There is no file {name}, neither in the landing zone nor in the lake. {what} are "
            f"called {kind.form}; {self.path} lists them. A day is written as 2025-03-14."
        )
        return HTTPException(HTTPStatus.NOT_FOUND, message)

    def _bad_rows(
        self, files: SurveyFiles, status: FileStatus, limit: int | None = None
    ) -> tuple[list[QuarantinedRow], int]:
        """The rows in quarantine, or for which the whole file was refused, and how many there are.

        Fewer are given than there are with a limit.
        """
        if status.day is None or status.ingested is None:
            return [], 0
        if status.quarantined:
            rows = quarantined_rows(files.lake, status.day, status.name, limit)
            return rows, status.quarantined
        if status.state != "refused" or status.ingested.size > REREAD_BYTES:
            return [], 0
        try:
            parse_survey(files.zone.read(status.name), status.name)
        except UnreadableSurveyError as error:
            return list(error.bad_rows)[:limit], len(error.bad_rows)
        return [], 0


@dataclass(frozen=True)
class _Totals:
    days: int
    files: int
    rows: int
    quarantined: int
    held: int

    @classmethod
    def of(cls, manifest: Manifest) -> _Totals:
        summaries = manifest.summaries.values()
        days = [day for day in summaries if day.files and not day.being_written]
        return cls(
            len(days),
            sum(day.files for day in days),
            sum(day.rows for day in days),
            sum(day.quarantined for day in days),
            sum(day.held for day in days),
        )


def _is_as_ingested(status: FileStatus) -> bool:
    """Whether what lies in the landing zone is what the lake's bad rows are of."""
    return status.landed is not None and status.state in {"ingested", "held", "refused"}


def _bytes_of(files: SurveyFiles, status: FileStatus) -> bytes:
    if status.landed is None:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"{status.name} is no longer in the landing zone, and no download"
        )
    return files.zone.read(status.name)
