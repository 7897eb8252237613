"""The HTTP face of an endpoint: SageMaker's container contract and its runtime API.

* ``GET /ping`` and ``POST /invocations`` are what SageMaker asks of a container: SageMaker
  developer guide, "Custom inference code with hosting services".
* ``POST /endpoints/{name}/invocations`` is what ``boto3.client("sagemaker-runtime")`` calls:
  botocore's service model ``sagemaker-runtime/2017-05-13``, which also names the headers and the
  errors. As in AWS, a refusal by the model arrives as a ModelError with the original status.
* ``GET /endpoints/{name}`` describes the endpoint.
* ``GET /reports`` and ``GET /reports/{model_sha256}`` show the reports on evaluations to people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from abalone_assets.errors import StorageError
from abalone_assets.lake.reports import PAGE_PATH
from abalone_assets.serving.capture import CapturedRequest, DataCapture
from abalone_assets.serving.model_host import Answer, ModelHost, RefusedRequestError, ServedModel
from abalone_assets.serving.protocol import ERROR_HEADER, MAX_BODY_BYTES, VARIANT, VERSION_HEADER
from abalone_assets.serving.report_site import HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from abalone_assets.serving.report_site import ReportSite

_VARIANT_HEADER: Final = "x-Amzn-Invoked-Production-Variant"
_INFERENCE_ID_HEADER: Final = "X-Amzn-SageMaker-Inference-Id"


@dataclass
class EndpointApp:
    """The request handlers of one endpoint.

    Attributes:
        host: Holds the model.
        capture: Records what was asked and answered, or None.
        started_at: When the server started, UTC.
        requests: How many requests were answered with predictions.
    """

    host: ModelHost
    capture: DataCapture | None
    started_at: datetime
    requests: int = 0

    async def ping(self, _request: Request) -> Response:
        """200 while a model is loaded, 503 before."""
        if self.host.view.serving is None:
            return _error_answer(
                HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", self._waiting()
            )
        return Response(status_code=HTTPStatus.OK)

    async def invocations(self, request: Request) -> Response:
        """Answer as a container: a refusal has its own status."""
        try:
            return await self._invoke(request)
        except RefusedRequestError as error:
            return _error_answer(error.status, "ModelError", str(error))

    async def invoke_endpoint(self, request: Request) -> Response:
        """Answer as the runtime API: a refusal is a ModelError."""
        if request.path_params["name"] != self.host.endpoint:
            return self._unknown_endpoint(request)
        try:
            return await self._invoke(request)
        except RefusedRequestError as error:
            return _error_answer(
                HTTPStatus.FAILED_DEPENDENCY,
                "ModelError",
                f"Received client error ({error.status}) from {VARIANT} with message: {error}",
                OriginalStatusCode=error.status,
                OriginalMessage=str(error),
            )

    async def describe(self, request: Request) -> Response:
        """The endpoint's status, its versions, its counters."""
        if request.path_params["name"] != self.host.endpoint:
            return self._unknown_endpoint(request)
        document: dict[str, Any] = {
            "endpoint": self.host.endpoint,
            **self.host.view.describe(),
            "started_at": self.started_at.isoformat(),
            "requests": self.requests,
            "capture": self.capture and self.capture.describe(),
        }
        return JSONResponse(document)

    async def _invoke(self, request: Request) -> Response:
        # One look: this request is answered by this model, whatever is swapped in meanwhile.
        served = self.host.view.serving
        if served is None:
            return _error_answer(
                HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", self._waiting()
            )
        body = await _read_body(request)
        content_type = request.headers.get("content-type", "")
        accept = request.headers.get("accept", "*/*")
        answer = await run_in_threadpool(served.invoke, body, content_type, accept)
        self.requests += 1
        self._record(request, body, answer, served)
        return Response(
            answer.body,
            headers={
                "Content-Type": answer.content_type,
                VERSION_HEADER: str(served.version),
                _VARIANT_HEADER: VARIANT,
            },
        )

    def _record(self, request: Request, body: bytes, answer: Answer, served: ServedModel) -> None:
        if self.capture is None:
            return
        self.capture.record(
            CapturedRequest(
                input_type=request.headers.get("content-type", ""),
                input_data=body,
                output_type=answer.content_type,
                output_data=answer.body,
                model_version=served.version,
                inference_id=request.headers.get(_INFERENCE_ID_HEADER),
            )
        )

    def _waiting(self) -> str:
        view = self.host.view
        if view.problem is not None:
            return view.problem
        if view.pointer is None:
            return f"endpoint {self.host.endpoint} waits for its first deployment"
        if view.loading or view.refused is None:
            return f"endpoint {self.host.endpoint} is loading version {view.pointer.version}"
        return view.refused.reason

    def _unknown_endpoint(self, request: Request) -> Response:
        name = request.path_params["name"]
        return _error_answer(
            HTTPStatus.BAD_REQUEST,
            "ValidationError",
            f"Endpoint {name} not found; this server has the endpoint {self.host.endpoint}",
        )


async def _page(read: Callable[[], str | bytes | None]) -> Response:
    """An answer for a browser, read off the event loop."""
    try:
        content = await run_in_threadpool(read)
    except StorageError as error:
        return _error_answer(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", str(error))
    if content is None:
        message = f"there is no such report; {PAGE_PATH} lists them"
        return _error_answer(HTTPStatus.NOT_FOUND, "ValidationError", message)
    return HTMLResponse(content, headers=HEADERS)


def build_app(
    host: ModelHost, capture: DataCapture | None, reports: ReportSite | None = None
) -> Starlette:
    """The ASGI application of an endpoint; the caller starts the host and the capture.

    Args:
        host: Holds the model.
        capture: Records what was asked and answered, or None.
        reports: Pages for people, or None.
    """
    endpoint = EndpointApp(host, capture, datetime.now(UTC))
    pages = [] if reports is None else _report_routes(reports)
    return Starlette(
        routes=[
            Route("/ping", endpoint.ping),
            Route("/invocations", endpoint.invocations, methods=["POST"]),
            Route("/endpoints/{name}", endpoint.describe),
            Route("/endpoints/{name}/invocations", endpoint.invoke_endpoint, methods=["POST"]),
            *pages,
        ],
        exception_handlers={
            HTTPException: _http_error,
            ClientDisconnect: _client_gone,
            Exception: _internal_error,
        },
    )


def _report_routes(site: ReportSite) -> list[Route]:
    async def index(_request: Request) -> Response:
        return await _page(site.index)

    async def report(request: Request) -> Response:
        return await _page(lambda: site.page(request.path_params["model_sha256"]))

    return [Route(PAGE_PATH, index), Route(f"{PAGE_PATH}/{{model_sha256}}", report)]


async def _read_body(request: Request) -> bytes:
    """The request's body, read no further than the limit.

    Raises:
        HTTPException: It is larger (413).
    """
    too_large = HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the request body exceeds {MAX_BODY_BYTES} bytes; send fewer rows at a time",
    )
    if int(request.headers.get("content-length", 0)) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large
    return bytes(body)


async def _http_error(_request: Request, error: Exception) -> Response:
    """An error of the protocol itself: no such path, wrong method, too large a body."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    return _error_answer(status, "ValidationError", detail)


async def _client_gone(_request: Request, _error: Exception) -> Response:
    """The client left while it was sending: nobody reads this answer, and it is no defect."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _internal_error(_request: Request, _error: Exception) -> Response:
    """A defect: the server's log has the details, the client gets none."""
    message = "the model failed on this request; the server's log says why"
    return _error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalFailure", message)


def _error_answer(status: int, code: str, message: str, **details: object) -> Response:
    """An error as AWS's JSON protocols write it: the code in a header, the message in the body."""
    return JSONResponse({"Message": message, **details}, status, headers={ERROR_HEADER: code})
