"""An endpoint's numbers, as Prometheus scrapes them from ``/metrics``.

A middleware notes each answer, in a microsecond or two: a row is answered in a quarter of a
millisecond, and the client library's own counters and histograms would take a twentieth of that.
What the host and the capture know anyway is read when somebody scrapes. Names follow Prometheus's
`practices <https://prometheus.io/docs/practices/naming/>`_; labels have few values, whatever
clients send.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import accumulate
from time import perf_counter
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.responses import Response

from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    from prometheus_client.metrics_core import Metric
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from abalone_assets.lake.last_drift import LastDrift
    from abalone_assets.serving.capture import DataCapture
    from abalone_assets.serving.model_host import ModelHost

PATH: Final = "/metrics"
NO_ROUTE: Final = "none"
"""The route of requests whose path leads nowhere."""

BUCKETS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
"""Seconds; a row takes a fraction of a millisecond, ten thousand some 50."""

logger = logging.getLogger(__name__)

_BOUNDS: Final = [*map(floatToGoString, BUCKETS), "+Inf"]


@dataclass
class _Answers:
    """The answers of one route.

    Attributes:
        statuses: How many had which status.
        buckets: How many took at most so long, and no less than the bound before: as `BUCKETS`.
        seconds: How long all of them took.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS))
    seconds: float = 0.0


class Metrics(Collector):
    """The numbers of one endpoint's server.

    Args:
        host: Whose model answers.
        capture: Where answered requests are captured, or None.
        drift: The last drift report, or None.
        refused: How many requests were refused, by reason, as the application counts them.
    """

    def __init__(
        self,
        host: ModelHost,
        capture: DataCapture | None,
        drift: LastDrift | None = None,
        refused: Mapping[str, int] | None = None,
    ) -> None:
        self._host = host
        self._refused = {} if refused is None else refused
        self._capture = capture
        self._drift = drift
        self._answers: dict[str, _Answers] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count an answer; for the event loop's thread only."""
        answers = self._answers.get(route)
        if answers is None:
            answers = self._answers[route] = _Answers()
        answers.statuses[status] += 1
        answers.buckets[bisect_left(BUCKETS, seconds)] += 1
        answers.seconds += seconds

    def tell(self, request: Request) -> Response:
        """All of them, in the format that the scraper asks for; reads from the lake."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry), headers={"Content-Type": content_type})

    def collect(self) -> Iterable[Metric]:
        """What the client library writes."""
        yield from self._answered()
        yield from self._live()
        refused = CounterMetricFamily(
            "abalone_refused_requests",
            "Requests that were not answered for the client's mistake, by what was wrong.",
            labels=["reason"],
        )
        for reason, count in list(self._refused.items()):
            refused.add_metric([reason], count)
        yield refused
        if self._capture is not None:
            yield from _captured(self._capture)
        if self._drift is not None:
            yield from _drifted(self._drift)

    def _answered(self) -> Iterable[Metric]:
        requests = CounterMetricFamily(
            "abalone_http_requests",
            "Requests, by the route that answered and the status of the answer.",
            labels=["route", "status"],
        )
        seconds = HistogramMetricFamily(
            "abalone_http_request_duration_seconds",
            "From a request's head to the last byte of its answer.",
            labels=["route"],
        )
        for route, answers in list(self._answers.items()):
            for status, count in list(answers.statuses.items()):
                requests.add_metric([route, str(status)], count)
            cumulative = [*zip(_BOUNDS, accumulate(answers.buckets), strict=True)]
            seconds.add_metric([route], cumulative, answers.seconds)
        yield requests
        yield seconds

    def _live(self) -> Iterable[Metric]:
        view = self._host.view
        for name, said, known in (
            ("abalone_model_version", "The version that answers.", view.serving),
            ("abalone_model_requested_version", "The version that should.", view.pointer),
        ):
            gauge = GaugeMetricFamily(name, f"{said} No sample without one.")
            if known is not None:
                gauge.add_metric([], known.version)
            yield gauge


class Measured:
    """The middleware that has an application's answers counted."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, and count that."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)  # of an exception
        started = perf_counter()

        def sending(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            self._metrics.count(route, status, perf_counter() - started)


def _captured(capture: DataCapture) -> Iterable[Metric]:
    yield CounterMetricFamily(
        "abalone_captured_requests",
        "Requests that were captured, answered or refused.",
        capture.written,
    )
    yield CounterMetricFamily(
        "abalone_capture_lost_requests",
        "Requests, answered or refused, that could not be captured.",
        capture.lost,
    )


def _drifted(drift: LastDrift) -> Iterable[Metric]:
    try:
        numbers = drift.numbers()
    except StorageError:
        logger.warning("the last drift report cannot be read", exc_info=True)
        return
    psi = GaugeMetricFamily(
        "abalone_drift_psi",
        "Population stability index of the last seven days' requests against the training split.",
        labels=["feature"],
    )
    drifted = GaugeMetricFamily(
        "abalone_drift_detected",
        "Whether chance is ruled out and the shift matters.",
        labels=["feature"],
    )
    for each in () if numbers is None else numbers.features:
        psi.add_metric([each.feature], each.psi)
        drifted.add_metric([each.feature], each.drifted)
    yield psi
    yield drifted
    shares = {} if numbers is None else numbers.shares
    for name, what in (
        ("outside_contract", "requests that were outside the contract"),
        ("outside_range", "asked-about animals with a measurement that no training animal reached"),
    ):
        gauge = GaugeMetricFamily(f"abalone_requests_{name}_ratio", f"Share of the {what}.")
        if (share := shares.get(name)) is not None:
            gauge.add_metric([], share)
        yield gauge
