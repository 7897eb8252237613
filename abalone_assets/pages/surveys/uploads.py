"""Uploading a survey, or animals without rings: checked as ingestion does, shown, then landed.

Each step is an address of its own, and none needs a script: the form, then
``/surveys/upload/<key>`` with what the check found, then the landed file's page. The check is that
of ``abalone land``, by the judge of the base survey in the lake, and is made anew at each step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Route

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.given_files import as_utf8
from abalone_assets.ingest.marked_survey import marked_survey
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.pages.site import HEADERS
from abalone_assets.pages.surveys.checks import RINGS, UNITS, Choices, check_upload, units_to_choose
from abalone_assets.pages.surveys.downloads import attachment
from abalone_assets.pages.surveys.forms import MAX_UPLOAD_BYTES, Form, read_form, read_upload
from abalone_assets.pages.surveys.staged_uploads import StagedUpload, StagedUploads
from abalone_assets.survey import UnreadableSurveyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from abalone_assets.pages.site import Site
    from abalone_assets.pages.surveys.upload_access import UploadAccess
    from abalone_assets.settings.platform import Settings

SURVEYS: Final = "/surveys"
PATH: Final = f"{SURVEYS}/upload"
SHOWN_ROWS: Final = 200
PARALLEL_CHECKS: Final = 1
"""Threads that uploads may take at a time: requests for predictions need the others."""


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
        return StagedUploads.of(self.settings.home)

    def routes(self, site: Site) -> Sequence[Route]:
        """The form, what the check found, and the two things to do about it."""

        async def form(request: Request) -> Response:
            self.access.check_request(request)
            return site.render("surveys/upload.html.jinja", path=SURVEYS, **self._form())

        async def send(request: Request) -> Response:
            self.access.check_request(request)
            given = await read_upload(
                request, lambda token: self.access.check_token(request.headers, token)
            )
            return await self._in_thread(lambda: self._sent(site, given))

        async def checked(request: Request) -> Response:
            self.access.check_request(request)
            return await self._in_thread(lambda: self._checked(site, request))

        async def confirm(request: Request) -> Response:
            self.access.check_request(request)
            self._upload(request)  # who has no key of one has nothing to say
            given = await read_form(request)
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
            "rings": RINGS,
            "needs_token": self.access.needs_token,
            "max_bytes": MAX_UPLOAD_BYTES,
            "problem": problem,
        }

    def _sent(self, site: Site, given: Form) -> Response:
        """Keep a file that was sent, and lead to what the check finds."""
        if not given.data:
            problem = f"{given.name} is empty" if given.name else "choose a file first"
            context = self._form(problem)
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return site.render("surveys/upload.html.jinja", path=SURVEYS, status=status, **context)
        key = self.staged.add(given.name, given.data)
        query = Choices.of(given.texts).query
        return _see(f"{PATH}/{key}{query and f'?{query}'}")

    def _checked(self, site: Site, request: Request) -> Response:
        upload = self._upload(request)
        return self._show(site, upload, Choices.of(request.query_params))

    def _confirmed(self, site: Site, request: Request, given: Form) -> Response:
        """Land it, if it still may: what it was checked against may have changed since."""
        upload, choices = self._upload(request), Choices.of(given.texts)
        check = check_upload(upload, choices, self.settings)
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
        upload, choices = self._upload(request), Choices.of(request.query_params)
        file = check_upload(upload, choices, self.settings).file
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
        choices: Choices,
        problem: str = "",
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        check = check_upload(upload, choices, self.settings)
        return site.render(
            "surveys/check.html.jinja",
            path=SURVEYS,
            status=status,
            upload=upload,
            choices=choices,
            check=check,
            problem=problem,
            units=units_to_choose(check),
            rings=RINGS,
            shown_rows=SHOWN_ROWS,
            here=f"{PATH}/{upload.key}",
            query=choices.query,
        )


def _see(place: str) -> Response:
    """Lead to another address, so that to load the page again sends nothing again."""
    return RedirectResponse(place, HTTPStatus.SEE_OTHER, HEADERS)
