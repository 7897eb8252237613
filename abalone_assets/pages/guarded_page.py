"""A page that answers only under names that the server may be called by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send

    from abalone_assets.pages.site import Page, Site
    from abalone_assets.pages.surveys.upload_access import UploadAccess


@dataclass(frozen=True)
class GuardedPage:
    """A page, each of whose routes looks at the request's ``Host`` first.

    Attributes:
        page: What answers.
        access: Knows which names are refused.
    """

    page: Page
    access: UploadAccess

    @property
    def title(self) -> str:
        """Its name in the navigation."""
        return self.page.title

    @property
    def path(self) -> str:
        """Where the navigation leads."""
        return self.page.path

    def routes(self, site: Site) -> Sequence[Route]:
        """Those of the page."""
        routes = cast("Sequence[Route]", self.page.routes(site))
        for route in routes:
            route.app = self._guarded(route.app)
        return routes

    def _guarded(self, app: ASGIApp) -> ASGIApp:
        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            self.access.check_host(Headers(scope=scope))
            await app(scope, receive, send)

        return guarded
