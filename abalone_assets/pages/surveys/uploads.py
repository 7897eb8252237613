"""Uploading a survey: it is checked as ingestion will judge it, shown, and landed when confirmed.

Each step is an address of its own, and none needs a script: the form, then
``/surveys/upload/<key>`` with what the check found, then the landed file's page. The check is that
of ``abalone land``, by the judge of the base survey in the lake, and is made anew at each step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.bad_rows import marked_survey
from abalone_assets.ingest.landing import CheckedFile, Options, Verdicts, as_utf8, check_files
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.lake import Lake
from abalone_assets.pages.site import HEADERS
from abalone_assets.pages.surveys.downloads import attachment
from abalone_assets.pages.surveys.staged_uploads import StagedUpload, StagedUploads
from abalone_assets.survey import UnreadableSurveyError, survey_file_name
from abalone_assets.survey.units import Units

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.responses import Response
    from starlette.types import Message, Receive

    from abalone_assets.pages.site import Site
    from abalone_assets.pages.surveys.upload_access import UploadAccess
    from abalone_assets.settings.platform import Settings

SURVEYS: Final = "/surveys"
PATH: Final = f"{SURVEYS}/upload"
MAX_UPLOAD_BYTES: Final = 16 * 2**20
"""Some 300,000 animals; more at once are for `abalone land`."""

SHOWN_ROWS: Final = 200
PARALLEL_CHECKS: Final = 1
"""Threads that uploads may take at a time: requests for predictions need the others."""

UNITS: Final = (
    ("", "as the file says"),
    ("mm-g", "millimetres and grams"),
    ("cm-g", "centimetres and grams"),
    ("cm-kg", "centimetres and kilograms"),
    ("m-kg", "metres and kilograms"),
    ("in-oz", "inches and ounces"),
    ("in-lb", "inches and pounds"),
    ("scaled-scaled", "mm / 200 and g / 200"),
)
_NAMED_TIME: Final = re.compile(r"abalone\.([0-9]{14})(?![0-9])")
MAX_FIELDS: Final = 8
FORM_BYTES: Final = 2**16
"""What a form may have beside its file."""


@dataclass(frozen=True)
class _Choices:
    """What a person said of a file; empty where the file is asked."""

    time: str = ""
    units: str = ""

    @classmethod
    def of(cls, given: Mapping[str, object]) -> _Choices:
        return cls(*(str(given.get(name, "")).strip() for name in ("time", "units")))

    def name_of(self, upload: StagedUpload) -> str | None:
        """The name that the file lands under; None while nobody has told its time.

        Raises:
            SurveyError: The time is none.
        """
        if self.time:
            try:
                told = datetime.fromisoformat(self.time)
            except ValueError as error:
                raise SurveyError(
                    f"{self.time!r} is no time: write it as 2025-03-14 06:15:00, in UTC"
                ) from error
            return survey_file_name(told if told.utcoffset() is not None else _utc(told))
        match = _NAMED_TIME.search(upload.given_name)
        return match[0] if match else None

    @property
    def query(self) -> str:
        """What an address has behind its question mark, so that it is asked of the file again."""
        return urlencode({name: told for name, told in vars(self).items() if told})

    @property
    def options(self) -> Options:
        """For the check.

        Raises:
            SurveyError: There are no such units.
        """
        return Options(units=Units.named(self.units) if self.units else None)


@dataclass(frozen=True)
class Check:
    """What the check of an upload found.

    Attributes:
        file: The file as it would land; None while its name is not known.
        problem: Why it is not known.
    """

    file: CheckedFile | None
    problem: str | None = None

    @property
    def obstacles(self) -> list[str]:
        """Why it may not land from a page, whatever is confirmed."""
        if self.file is None:
            return [str(self.problem)]
        return [each.reason for each in self.file.obstacles if each.kind != "replaced"]

    @property
    def replaces(self) -> bool:
        """Whether another survey lies there under its name."""
        return self.file is not None and self.file.change == "replaced"

    @property
    def may_land(self) -> bool:
        """Whether a confirmation lands it."""
        return not self.obstacles and self.file is not None and self.file.change != "identical"


@dataclass(frozen=True)
class Uploads:
    """The upload of a home's surveys.

    Attributes:
        settings: Where they land, and by what they are judged.
        access: Who may.
    """

    settings: Settings
    access: UploadAccess
    _limiter: CapacityLimiter = field(
        default_factory=lambda: CapacityLimiter(PARALLEL_CHECKS), init=False
    )

    @property
    def is_on(self) -> bool:
        """Whether there is anything to offer."""
        return self.access.is_on

    @cached_property
    def staged(self) -> StagedUploads:
        """What waits to be confirmed."""
        return StagedUploads(self.settings.home / "uploads")

    def routes(self, site: Site) -> Sequence[Route]:
        """The form, what the check found, and the two things to do about it."""

        async def form(request: Request) -> Response:
            self.access.check_request(request)
            return site.render("surveys/upload.html.jinja", path=SURVEYS, **self._form())

        async def send(request: Request) -> Response:
            self.access.check_request(request)
            given = await _form_of(request)
            self.access.check_token(request.headers, given.text("token"))
            return await self._in_thread(lambda: self._sent(site, given))

        async def checked(request: Request) -> Response:
            self.access.check_request(request)
            return await self._in_thread(lambda: self._checked(site, request))

        async def confirm(request: Request) -> Response:
            self.access.check_request(request)
            given = await _form_of(request)
            return await self._in_thread(lambda: self._confirmed(site, request, given))

        async def marked(request: Request) -> Response:
            self.access.check_request(request)
            return await self._in_thread(lambda: self._marked(request))

        return [
            Route(PATH, form),
            Route(PATH, send, methods=["POST"]),
            Route(f"{PATH}/{{key}}", checked),
            Route(f"{PATH}/{{key}}", confirm, methods=["POST"]),
            Route(f"{PATH}/{{key}}/marked", marked),
        ]

    async def _in_thread(self, answer: Callable[[], Response]) -> Response:
        return await to_thread.run_sync(answer, limiter=self._limiter)

    def _form(self, problem: str = "") -> dict[str, Any]:
        return {
            "units": UNITS,
            "needs_token": self.access.needs_token,
            "max_bytes": MAX_UPLOAD_BYTES,
            "problem": problem,
        }

    def _sent(self, site: Site, given: _Form) -> Response:
        """Keep a file that was sent, and lead to what the check finds."""
        if not given.data:
            problem = f"{given.name} is empty" if given.name else "choose a file first"
            context = self._form(problem)
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return site.render("surveys/upload.html.jinja", path=SURVEYS, status=status, **context)
        key = self.staged.add(given.name, given.data)
        query = _Choices.of(given.texts).query
        return _see(f"{PATH}/{key}{query and f'?{query}'}")

    def _checked(self, site: Site, request: Request) -> Response:
        upload = self._upload(request)
        return self._show(site, upload, _Choices.of(request.query_params))

    def _confirmed(self, site: Site, request: Request, given: _Form) -> Response:
        """Land it, if it still may: what it was checked against may have changed since."""
        upload, choices = self._upload(request), _Choices.of(given.texts)
        check = self._check(upload, choices)
        if check.file is None or not check.may_land:
            return self._show(site, upload, choices, status=HTTPStatus.CONFLICT)
        if check.replaces and not given.text("replace"):
            unconfirmed = "say first that it replaces what lies there"
            return self._show(site, upload, choices, unconfirmed, HTTPStatus.CONFLICT)
        try:
            check.file.land(open_landing_zone(self.settings.landing_zone_uri))
        except SurveyError as error:
            return self._show(site, upload, choices, str(error), HTTPStatus.CONFLICT)
        self.staged.remove(upload.key)
        return _see(f"{SURVEYS}/{quote(check.file.name)}?landed={check.file.change}")

    def _marked(self, request: Request) -> Response:
        upload, choices = self._upload(request), _Choices.of(request.query_params)
        file = self._check(upload, choices).file
        if file is None or not file.read.bad_rows:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no bad rows are known of this upload")
        read = file.read
        try:
            marked = marked_survey(as_utf8(upload.data), file.name, read.bad_rows, read.reading)
        except UnreadableSurveyError as error:
            raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error
        return attachment(marked, f"{upload.given_name}.marked.csv")

    def _upload(self, request: Request) -> StagedUpload:
        found = self.staged.get(request.path_params["key"])
        if found is None:
            message = (
                f"this upload has landed, or was kept for an hour in vain; {PATH} takes another"
            )
            raise HTTPException(HTTPStatus.NOT_FOUND, message)
        return found

    def _show(
        self,
        site: Site,
        upload: StagedUpload,
        choices: _Choices,
        problem: str = "",
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        check = self._check(upload, choices)
        return site.render(
            "surveys/check.html.jinja",
            path=SURVEYS,
            status=status,
            upload=upload,
            choices=choices,
            check=check,
            problem=problem,
            units=_units_to_choose(check),
            shown_rows=SHOWN_ROWS,
            here=f"{PATH}/{upload.key}",
            query=choices.query,
        )

    def _check(self, upload: StagedUpload, choices: _Choices) -> Check:
        try:
            name, options = choices.name_of(upload), choices.options
        except SurveyError as error:
            return Check(None, str(error))
        if name is None:
            return Check(None, "its name does not tell when the survey was made: say it below")
        (file,) = check_files(
            {name: upload.data},
            open_landing_zone(self.settings.landing_zone_uri),
            self.settings.first_survey_day,
            options=options,
            verdicts=Verdicts.of(Lake(self.settings.lake_uri)),
        )
        return Check(file)


def _units_to_choose(check: Check) -> list[tuple[str, str]]:
    """The usual units, and those that the file's numbers look like."""
    doubted = check.file.read.doubted_units if check.file else None
    known = {name for name, _ in UNITS}
    return [
        *UNITS,
        *([(doubted.name, doubted.words)] if doubted and doubted.name not in known else []),
    ]


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)


def _see(place: str) -> Response:
    """Lead to another address, so that to load the page again sends nothing again."""
    return RedirectResponse(place, HTTPStatus.SEE_OTHER, HEADERS)


@dataclass(frozen=True)
class _Form:
    """What a form sent: its fields, and its file's name and bytes, empty where it has none."""

    texts: Mapping[str, str]
    name: str = ""
    data: bytes = b""

    def text(self, field: str) -> str:
        return self.texts.get(field, "").strip()


async def _form_of(request: Request) -> _Form:
    """Read a form.

    Raises:
        HTTPException: It is none (400), or too large (413).
    """
    limited = Request(request.scope, _limited(request.receive))
    async with limited.form(max_files=1, max_fields=MAX_FIELDS) as given:
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        file = given.get("file")
        if not isinstance(file, UploadFile):
            return _Form(texts)
        return _Form(texts, file.filename or "", await file.read())


def _limited(receive: Receive) -> Receive:
    """The body of a request, up to the limit."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_UPLOAD_BYTES + FORM_BYTES:
            limit = MAX_UPLOAD_BYTES // 2**20
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a survey above {limit} MB is not taken here; split it, or use `abalone land`",
            )
        return message

    return limited
