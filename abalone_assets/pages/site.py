"""The site that the pages make up: navigation, templates, static files, and what a browser may do.

Each page is a module with its template beside it, which extends ``base.html.jinja``. Scripts are ES
modules and lie in ``static/`` with the one stylesheet; nothing is built, and a browser fetches
nothing from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import Scope

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""A page runs the site's own scripts and nothing that is written in it: text stays text.

Other sites are not told where a visitor comes from. The site itself has to be: under
``no-referrer`` browsers send its own forms with ``Origin: null``, like those of another site.
"""

STATIC_PATH: Final = "/static"


class Page(Protocol):
    """A page of the site, or some that belong together."""

    @property
    def title(self) -> str:
        """Its name in the navigation."""

    @property
    def path(self) -> str:
        """Where the navigation leads."""

    def routes(self, site: Site) -> Sequence[BaseRoute]:
        """What it answers; the site renders its templates."""


@dataclass(frozen=True)
class Site:
    """The pages of a server, in the order of the navigation."""

    pages: Sequence[Page]

    def routes(self) -> list[BaseRoute]:
        """The routes of all pages, and of their scripts and styles."""
        static = Mount(STATIC_PATH, _StaticFiles(packages=[(__package__, "static")]), name="static")
        return [static, *(route for page in self.pages for route in page.routes(self))]

    def render(
        self,
        template: str,
        *,
        path: str = "",
        status: HTTPStatus = HTTPStatus.OK,
        **context: Any,  # noqa: ANN401 - whatever the template asks for
    ) -> Response:
        """A page from a template.

        Args:
            template: Its file's name in this folder.
            path: The page's own, which the navigation marks as the present one.
            status: Of the response.
            **context: What the template needs; a name that it lacks is an error.
        """
        text = _TEMPLATES.get_template(template).render(pages=self.pages, path=path, **context)
        return HTMLResponse(text, status, headers=HEADERS)

    def problem(self, status: int, message: str) -> Response:
        """A page that says what is wrong, for an error that a person in a browser runs into."""
        known = HTTPStatus(status)
        if known == HTTPStatus.NOT_FOUND and message == known.phrase:  # no route: nobody said more
            message = "There is no page at this address."
        return self.render("problem.html.jinja", status=known, phrase=known.phrase, message=message)


class _StaticFiles(StaticFiles):
    """Scripts and styles; browsers ask for them anew, so that they fit the page after an update."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = HTTPStatus.OK,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(HEADERS)
        return response


_TEMPLATES: Final = Environment(
    loader=PackageLoader(__package__, ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
