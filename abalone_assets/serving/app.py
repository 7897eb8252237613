"""The HTTP face of an endpoint: SageMaker's container contract and its runtime API.

* ``GET /ping`` and ``POST /invocations`` are what SageMaker asks of a container: SageMaker
  developer guide, "Custom inference code with hosting services".
* ``POST /endpoints/{name}/invocations`` is what ``boto3.client("sagemaker-runtime")`` calls:
  botocore's service model ``sagemaker-runtime/2017-05-13``, which also names the headers and the
  errors. As in AWS, a refusal by the model arrives as a ModelError with the original status.
* ``GET /endpoints/{name}`` describes the endpoint.
* ``GET /metrics`` tells Prometheus its numbers, and ``GET /openapi.json`` programs all of this.

Whatever people open in a browser is in ``abalone_assets.pages``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from abalone_assets.errors import StorageError
from abalone_assets.pages.bodies import read_body
from abalone_assets.pages.calculator.operations import OPERATIONS
from abalone_assets.pages.calculator.page import Calculator
from abalone_assets.pages.site import Site
from abalone_assets.serving.capture import CapturedRequest, DataCapture
from abalone_assets.serving.metrics import PATH as METRICS_PATH
from abalone_assets.serving.metrics import Measured, Metrics
from abalone_assets.serving.model_host import ModelHost, RefusedRequestError, ServedModel
from abalone_assets.serving.openapi import PATH as OPENAPI_PATH
from abalone_assets.serving.openapi import Api, endpoint_operations
from abalone_assets.serving.protocol import ERROR_HEADER, MAX_BODY_BYTES, VARIANT, VERSION_HEADER
from abalone_assets.serving.refusals import COMPRESSED, TOO_LARGE, RefusedRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from abalone_assets.lake.last_drift import LastDrift
    from abalone_assets.lake.reports import Reports
    from abalone_assets.pages.calculator.facts import LiveModel
    from abalone_assets.pages.site import Page

INLINE_BYTES: Final = 2048
"""Bodies up to here, some forty rows, are answered on the event loop, in a millisecond: the way to
a thread and back takes half as long as a row. Larger ones hold nobody up."""

_VARIANT_HEADER: Final = "x-Amzn-Invoked-Production-Variant"
_INFERENCE_ID_HEADER: Final = "X-Amzn-SageMaker-Inference-Id"


@dataclass
class EndpointApp:
    """The request handlers of one endpoint.

    Attributes:
        started_at: When the server started, UTC.
        requests: How many requests were answered with predictions.
        refused: How many were not, for the client's mistake, by reason.
    """

    host: ModelHost
    capture: DataCapture | None
    started_at: datetime
    requests: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    async def ping(self, _request: Request) -> Response:
        """200 while a model is loaded, 503 before."""
        self._served()
        return Response(status_code=HTTPStatus.OK)

    async def describe(self, request: Request) -> Response:
        """The endpoint's status, its versions, its counters."""
        self._check_name(request)
        document: dict[str, Any] = {
            "endpoint": self.host.endpoint,
            **self.host.view.describe(),
            "started_at": self.started_at.isoformat(),
            "requests": self.requests,
            "refused": dict(sorted(self.refused.items())),
            "capture": self.capture and self.capture.describe(),
        }
        return JSONResponse(document)

    async def invoke(self, request: Request) -> Response:
        """Answer as a container or, where the path names an endpoint, as the runtime API.

        A refusal by the model has its own status in the first case and is a ModelError in the
        second.
        """
        self._check_name(request)
        # One look: this request is answered by this model, whatever is swapped in meanwhile.
        served = self._served()
        try:
            body = await read_body(request, MAX_BODY_BYTES)
        except HTTPException as error:
            is_large = error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            why, read = (TOO_LARGE, MAX_BODY_BYTES) if is_large else (COMPRESSED, 0)
            self._refuse(request, served, why, error.status_code, read)
            raise
        content_type = request.headers.get("content-type", "")
        accept = request.headers.get("accept", "*/*")
        inference_id = request.headers.get(_INFERENCE_ID_HEADER)
        try:
            answer, answer_type = await self.ask(served, body, content_type, accept, inference_id)
        except RefusedRequestError as error:
            self._refuse(request, served, error.reason, error.status, len(body))
            return _refused(error, by_runtime="name" in request.path_params)
        headers = {VERSION_HEADER: str(served.version), _VARIANT_HEADER: VARIANT}
        return Response(answer, headers={"Content-Type": answer_type, **headers})

    @property
    def live(self) -> ServedModel | None:
        """The model that answers now."""
        return self.host.view.serving

    async def ask(
        self,
        model: LiveModel,
        body: bytes,
        content_type: str,
        accept: str,
        inference_id: str | None = None,
    ) -> tuple[bytes, str]:
        """A model's answer and its type; what was answered is counted and captured.

        Raises:
            RefusedRequestError: As `ServedModel.invoke`.
        """
        if len(body) <= INLINE_BYTES:
            answer, answer_type = model.invoke(body, content_type, accept)
        else:
            answer, answer_type = await run_in_threadpool(model.invoke, body, content_type, accept)
        self.requests += 1
        if self.capture is not None:
            self.capture.record(
                CapturedRequest(
                    input_type=content_type,
                    input_data=body,
                    output_type=answer_type,
                    output_data=answer,
                    model_version=model.version,
                    inference_id=inference_id,
                )
            )
        return answer, answer_type

    def _refuse(
        self, request: Request, model: ServedModel, reason: str, status: int, length: int
    ) -> None:
        """Count a request that is not answered, and capture that, but nothing of its body."""
        self.refused[reason] += 1
        if self.capture is not None:
            self.capture.record(
                RefusedRequest.of(
                    reason,
                    status,
                    content_type=request.headers.get("content-type", ""),
                    length=length,
                    model_version=model.version,
                    inference_id=request.headers.get(_INFERENCE_ID_HEADER),
                )
            )

    def _check_name(self, request: Request) -> None:
        name = request.path_params.get("name", self.host.endpoint)
        if name != self.host.endpoint:
            raise HTTPException(
                HTTPStatus.BAD_REQUEST,
                f"Endpoint {name} not found; this server has the endpoint {self.host.endpoint}",
            )

    def _served(self) -> ServedModel:
        served = self.live
        if served is None:
            raise _unavailable(self.waiting())
        return served

    def waiting(self) -> str:
        """Why no model answers."""
        view = self.host.view
        if view.problem is not None:
            return view.problem
        if view.pointer is None:
            return f"endpoint {self.host.endpoint} waits for its first deployment"
        if view.loading or view.refused is None:
            return f"endpoint {self.host.endpoint} is loading version {view.pointer.version}"
        return view.refused.reason


def build_app(
    host: ModelHost,
    capture: DataCapture | None,
    pages: Sequence[Page] = (),
    drift: LastDrift | None = None,
    reports: Reports | None = None,
) -> Starlette:
    """The ASGI application of an endpoint; the caller starts the host and the capture."""
    endpoint = EndpointApp(host, capture, datetime.now(UTC))
    metrics = Metrics(host, capture, drift, endpoint.refused)
    site = Site([Calculator(endpoint, host.registry, reports), *pages])
    api = Api(endpoint_operations(host.endpoint) | OPERATIONS)

    async def told(request: Request, error: Exception) -> Response:
        return _told(site, request, error)

    async def internal_error(request: Request, _error: Exception) -> Response:
        return _internal_error(site, request)

    app = Starlette(
        routes=[
            Route("/ping", endpoint.ping),
            Route("/invocations", endpoint.invoke, methods=["POST"]),
            Route("/endpoints/{name}", endpoint.describe),
            Route("/endpoints/{name}/invocations", endpoint.invoke, methods=["POST"]),
            Route(METRICS_PATH, metrics.tell),
            Route(OPENAPI_PATH, api.tell),
            *site.routes(),
        ],
        middleware=[Middleware(Measured, metrics=metrics)],
        exception_handlers={
            HTTPException: told,
            StorageError: told,
            ClientDisconnect: _client_gone,
            Exception: internal_error,
        },
    )
    api.routes = app.routes
    return app


def _unavailable(message: str) -> HTTPException:
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, message)


def _refused(error: RefusedRequestError, *, by_runtime: bool) -> Response:
    if not by_runtime:
        return _error_answer(error.status, "ModelError", str(error))
    return _error_answer(
        HTTPStatus.FAILED_DEPENDENCY,
        "ModelError",
        f"Received client error ({error.status}) from {VARIANT} with message: {error}",
        OriginalStatusCode=error.status,
        OriginalMessage=str(error),
    )


def _told(site: Site, request: Request, error: Exception) -> Response:
    """The answer to an error of ours, of the protocol, such as a wrong path, or of the storage.

    Who looks at a page in a browser is told by a page.
    """
    known = error if isinstance(error, HTTPException) else _unavailable(str(error))
    headers = dict(known.headers or {})
    if known.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed_methods(request)
    if _is_browser(request):
        answer = site.problem(known.status_code, known.detail)
    else:
        unavailable = known.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        code = "ServiceUnavailable" if unavailable else "ValidationError"
        answer = _error_answer(known.status_code, code, known.detail)
    answer.headers.update(headers)
    return answer


def _allowed_methods(request: Request) -> str:
    """The methods of a path that is not asked by one of them; Starlette tells of its first route.

    Static files, which are no route, are read and nothing else.
    """
    allowed: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL:
            allowed |= route.methods or set()
    return ", ".join(sorted(allowed or {"GET", "HEAD"}))


async def _client_gone(_request: Request, _error: Exception) -> Response:
    """The client left while it was sending: nobody reads this answer, and it is no defect."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def _internal_error(site: Site, request: Request) -> Response:
    """A defect: the server's log has the details, the client gets none."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if _is_browser(request):
        return site.problem(status, "The server failed on this page; its log says why.")
    is_asked = request.url.path.endswith("/invocations")
    message = (
        "the model failed on this request; the server's log says why"
        if is_asked
        else "the server failed on this request; its log says why"
    )
    return _error_answer(status, "InternalFailure", message)


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _error_answer(status: int, code: str, message: str, **details: object) -> Response:
    """An error as AWS's JSON protocols write it: the code in a header, the message in the body."""
    return JSONResponse({"Message": message, **details}, status, headers={ERROR_HEADER: code})
