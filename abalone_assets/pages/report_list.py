"""The reports of the lake as pages: a list, and each report under its model's digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.routing import Route

from abalone_assets.lake.reports import PAGE_PATH
from abalone_assets.registry.version_facts import VersionFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from abalone_assets.lake.reports import Reports
    from abalone_assets.pages.site import Site
    from abalone_assets.registry.registry import ModelRegistry

REPORT_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""A report brings everything along and runs nothing: the browser is held to that."""


@dataclass(frozen=True)
class ReportList:
    """The reports of a lake.

    Attributes:
        reports: The reports.
        registry: It knows of which versions they are.
        live: Tells which version is deployed, if any.
    """

    reports: Reports
    registry: ModelRegistry
    live: Callable[[], int | None] = field(default=lambda: None)
    title: ClassVar[str] = "Reports"
    path: ClassVar[str] = PAGE_PATH

    def routes(self, site: Site) -> Sequence[Route]:
        """The list, the newest first, and each report as it was written."""

        def index(_request: Request) -> Response:
            return site.render(
                "report_list.html.jinja",
                path=self.path,
                reports=self.reports.newest_first(),
                versions=self._versions(),
                live=self.live(),
            )

        return [Route(self.path, index), Route(f"{self.path}/{{model_sha256}}", self._report)]

    def _versions(self) -> dict[str, VersionFacts]:
        """The version of each model; of several that are the same model, the newest."""
        facts = [VersionFacts.of(version) for version in self.registry.versions()]
        return {each.model_sha256: each for each in facts if each.model_sha256}

    def _report(self, request: Request) -> Response:
        content = self.reports.read(request.path_params["model_sha256"])
        if content is None:
            message = f"there is no such report; {self.path} lists them"
            raise HTTPException(HTTPStatus.NOT_FOUND, message)
        return HTMLResponse(content, headers=REPORT_HEADERS)
