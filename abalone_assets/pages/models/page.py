"""The model versions side by side, one by one, and two at a time; decisions are made elsewhere.

* ``GET /models`` lists them, the newest first.
* ``GET /models/{version}`` is all that is known of one.
* ``GET /models/compare?one=3&other=5`` is two on the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Final

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.routing import Route

from abalone_assets.errors import AbaloneError
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.reports import PAGE_PATH, Reports
from abalone_assets.pages.models.words import Verdict, named, verdict
from abalone_assets.registry.comparison import VersionComparison, compare_versions, splits_token
from abalone_assets.registry.version_facts import VersionFacts
from abalone_assets.registry.versions import UnknownVersionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from abalone_assets.pages.site import Site
    from abalone_assets.registry.registry import ModelRegistry

SHOWN_VERSIONS: Final = 20
REMEMBERED: Final = 32
MAX_DIGITS: Final = 9
PARALLEL_COMPARISONS: Final = 1
"""Threads that comparisons may take at a time: requests for predictions need the others."""

WAITING_COMPARISONS: Final = 4
"""Requests that may wait for that; more are told to come back, and hold nothing."""


@dataclass(frozen=True)
class Models:
    """The versions of a registry.

    Attributes:
        registry: The registry.
        lake_uri: Of the lake, where reports are, and the rows that versions are compared on.
        live: Tells which version is deployed, if any.
    """

    registry: ModelRegistry
    lake_uri: str
    live: Callable[[], int | None]
    title: ClassVar[str] = "Models"
    path: ClassVar[str] = "/models"
    _compared: dict[tuple[int, int, str], VersionComparison] = field(default_factory=dict)
    _limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(PARALLEL_COMPARISONS))

    def routes(self, site: Site) -> Sequence[BaseRoute]:
        """The list, a version, and two of them."""

        def index(request: Request) -> Response:
            return self._index(site, request)

        def one(request: Request) -> Response:
            return self._version(site, request)

        async def compare(request: Request) -> Response:
            if self._limiter.statistics().tasks_waiting >= WAITING_COMPARISONS:
                raise HTTPException(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "others compare versions just now; load the page again in some seconds",
                )
            return await to_thread.run_sync(
                lambda: self._compare(site, request), limiter=self._limiter
            )

        return [
            Route(self.path, index),
            Route(f"{self.path}/compare", compare),
            Route(f"{self.path}/{{version}}", one),
        ]

    def _index(self, site: Site, request: Request) -> Response:
        before = _number(request, "before")
        found = islice(self.registry.newest_first(before), SHOWN_VERSIONS + 1)
        facts = [VersionFacts.of(version) for version in found]
        shown, live = facts[:SHOWN_VERSIONS], self.live()
        pair = [each.version for each in shown[:2]]
        if shown and live not in {None, pair[0]}:
            pair = [pair[0], int(str(live))]
        return site.render(
            "models/list.html.jinja",
            path=self.path,
            versions=shown,
            live=live,
            reports=self._reports(shown),
            report_path=PAGE_PATH,
            older=shown[-1].version if len(facts) > len(shown) else None,
            first_page=before is None,
            pair=pair,
        )

    def _version(self, site: Site, request: Request) -> Response:
        try:
            number = _read_number(request.path_params["version"])
            version = self.registry.get(number)
        except (ValueError, UnknownVersionError) as error:
            raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error
        facts, live = VersionFacts.of(version), self.live()
        slices = version.evaluation.get("slices") or {}
        others = [live, facts.held_against, number - 1]
        other = next((int(each) for each in others if each and int(each) not in {number, 0}), None)
        return site.render(
            "models/version.html.jinja",
            path=self.path,
            version=facts,
            live=live,
            has_report=bool(self._reports([facts])),
            report_path=PAGE_PATH,
            slices=[*slices.get("sex", ()), *slices.get("age_band", ())],
            named=named,
            pair=[number, other],
        )

    def _compare(self, site: Site, request: Request) -> Response:
        pair = [_number(request, "one"), _number(request, "other")]
        compared, problem = None, None
        try:
            compared = self._comparison(pair[0] or 0, pair[1] or 0) if all(pair) else None
        except AbaloneError as error:
            problem = str(error)
        return site.render(
            "models/compare.html.jinja",
            path=self.path,
            status=HTTPStatus.OK if problem is None else HTTPStatus.CONFLICT,
            compared=compared,
            problem=problem,
            pair=pair,
            live=self.live(),
            named=named,
            verdict=_verdict(compared),
        )

    def _comparison(self, one: int, other: int) -> VersionComparison:
        """Two versions on the rows of today; remembered until the splits are written again."""
        lake = Lake(self.lake_uri)
        key = (max(one, other), min(one, other), splits_token(lake))
        if key not in self._compared:
            if len(self._compared) >= REMEMBERED:
                self._compared.clear()
            self._compared[key] = compare_versions(self.registry, lake, one, other)
        return self._compared[key]

    def _reports(self, versions: Sequence[VersionFacts]) -> set[str]:
        """The digests of these versions whose reports are kept."""
        reports = Reports(Lake(self.lake_uri).store)
        digests = {each.model_sha256 for each in versions if each.model_sha256}
        return {digest for digest in digests if reports.has(digest)}


def _verdict(compared: VersionComparison | None) -> Verdict | None:
    if compared is None:
        return None
    return verdict(compared.scores["paired"]["overall"], compared.newer.version)


def _number(request: Request, name: str) -> int | None:
    """A version's number in the query; None when it is left out.

    Raises:
        HTTPException: It is no number (400).
    """
    given = request.query_params.get(name, "").strip()
    if not given:
        return None
    try:
        return _read_number(given)
    except ValueError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error


def _read_number(text: str) -> int:
    """The number of a version.

    Raises:
        ValueError: It is none.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > MAX_DIGITS:
        raise ValueError(f"{text!r} is no number of a version")
    return int(text)
