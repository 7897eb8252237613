"""The reports of the lake as pages: a list, and each report under its model's digest."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.routing import Route

from abalone_assets.lake.reports import PAGE_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """The reports of a lake, and the registry that knows the models' versions."""

    reports: Reports
    registry: ModelRegistry
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
            )

        return [Route(self.path, index), Route(f"{self.path}/{{model_sha256}}", self._report)]

    def _versions(self) -> dict[str, int]:
        return {
            str(each.evaluation.get("model_sha256")): each.version
            for each in self.registry.versions()
        }

    def _report(self, request: Request) -> Response:
        content = self.reports.read(request.path_params["model_sha256"])
        if content is None:
            message = f"there is no such report; {self.path} lists them"
            raise HTTPException(HTTPStatus.NOT_FOUND, message)
        return HTMLResponse(content, headers=REPORT_HEADERS)
