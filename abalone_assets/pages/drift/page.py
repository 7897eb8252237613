"""Whether requests still look like what the model has learnt: the last report in numbers.

* ``GET /drift`` is what monitoring last found.
* ``GET /drift/report`` is the report itself, as it was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.routing import Route

from abalone_assets.lake.last_drift import PAGE_PATH
from abalone_assets.pages.drift.charts import HEIGHT, WIDTH, bars, in_words, trend
from abalone_assets.pages.report_list import REPORT_HEADERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from abalone_assets.lake.last_drift import DriftNumbers, LastDrift
    from abalone_assets.pages.drift.charts import Trend
    from abalone_assets.pages.site import Site

SHOWN_DAYS: Final = 14


@dataclass(frozen=True)
class Drift:
    """What monitoring last wrote into a lake."""

    found: LastDrift
    title: ClassVar[str] = "Drift"
    path: ClassVar[str] = PAGE_PATH

    def routes(self, site: Site) -> Sequence[Route]:
        """The numbers, and the report."""

        def show(_request: Request) -> Response:
            return self._show(site)

        return [Route(self.path, show), Route(f"{self.path}/report", self._report)]

    def _show(self, site: Site) -> Response:
        report, files = self.found.numbers(), self.found.kept_days()
        days = list(files)
        return site.render(
            "drift/drift.html.jinja",
            path=self.path,
            report=report,
            trends=_trends(report) if report else {},
            bars=bars,
            in_words=in_words,
            size=(WIDTH, HEIGHT),
            live=self.found.live(),
            days=days,
            newest_days=days[: -SHOWN_DAYS - 1 : -1],
            files=files,
            has_report=self.found.has_report(),
        )

    def _report(self, _request: Request) -> Response:
        page = self.found.report()
        if page is None:
            message = f"there is no drift report yet; {self.path} says how there comes to be one"
            raise HTTPException(HTTPStatus.NOT_FOUND, message)
        return HTMLResponse(page, headers=REPORT_HEADERS)


def _trends(report: DriftNumbers) -> dict[str, Trend | None]:
    by_day = report.psi_by_day.items()
    return {name: trend(points, report.psi_limit) for name, points in by_day}
