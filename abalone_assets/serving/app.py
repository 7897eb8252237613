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
from abalone_assets.serving.model_host import ModelHost, RefusedRequestError, ServedModel
from abalone_assets.serving.protocol import ERROR_HEADER, MAX_BODY_BYTES, VARIANT, VERSION_HEADER
from abalone_assets.serving.report_site import HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from abalone_assets.serving.report_site import ReportSite

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
    """

    host: ModelHost
    capture: DataCapture | None
    started_at: datetime
    requests: int = 0

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
        body = await _read_body(request)
        content_type = request.headers.get("content-type", "")
        accept = request.headers.get("accept", "*/*")
        try:
            if len(body) <= INLINE_BYTES:
                answer, answer_type = served.invoke(body, content_type, accept)
            else:
                answer, answer_type = await run_in_threadpool(
                    served.invoke, body, content_type, accept
                )
        except RefusedRequestError as error:
            return _refused(error, by_runtime="name" in request.path_params)
        self.requests += 1
        if self.capture is not None:
            self.capture.record(
                CapturedRequest(
                    input_type=content_type,
                    input_data=body,
                    output_type=answer_type,
                    output_data=answer,
                    model_version=served.version,
                    inference_id=request.headers.get(_INFERENCE_ID_HEADER),
                )
            )
        headers = {VERSION_HEADER: str(served.version), _VARIANT_HEADER: VARIANT}
        return Response(answer, headers={"Content-Type": answer_type, **headers})

    def _check_name(self, request: Request) -> None:
        name = request.path_params.get("name", self.host.endpoint)
        if name != self.host.endpoint:
            raise HTTPException(
                HTTPStatus.BAD_REQUEST,
                f"Endpoint {name} not found; this server has the endpoint {self.host.endpoint}",
            )

    def _served(self) -> ServedModel:
        served = self.host.view.serving
        if served is None:
            raise _unavailable(self._waiting())
        return served

    def _waiting(self) -> str:
        view = self.host.view
        if view.problem is not None:
            return view.problem
        if view.pointer is None:
            return f"endpoint {self.host.endpoint} waits for its first deployment"
        if view.loading or view.refused is None:
            return f"endpoint {self.host.endpoint} is loading version {view.pointer.version}"
        return view.refused.reason


async def _page(read: Callable[[], str | bytes | None]) -> Response:
    """An answer for a browser, read off the event loop."""
    try:
        content = await run_in_threadpool(read)
    except StorageError as error:
        raise _unavailable(str(error)) from error
    if content is None:
        message = f"there is no such report; {PAGE_PATH} lists them"
        raise HTTPException(HTTPStatus.NOT_FOUND, message)
    return HTMLResponse(content, headers=HEADERS)


def build_app(
    host: ModelHost, capture: DataCapture | None, reports: ReportSite | None = None
) -> Starlette:
    """The ASGI application of an endpoint; the caller starts the host and the capture."""
    endpoint = EndpointApp(host, capture, datetime.now(UTC))
    pages = [] if reports is None else _report_routes(reports)
    return Starlette(
        routes=[
            Route("/ping", endpoint.ping),
            Route("/invocations", endpoint.invoke, methods=["POST"]),
            Route("/endpoints/{name}", endpoint.describe),
            Route("/endpoints/{name}/invocations", endpoint.invoke, methods=["POST"]),
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
        return await _page(lambda: site.reports.read(request.path_params["model_sha256"]))

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


def _unavailable(message: str) -> HTTPException:
    headers = {ERROR_HEADER: "ServiceUnavailable"}
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, message, headers)


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


async def _http_error(_request: Request, error: Exception) -> Response:
    """An error of ours, or of the protocol itself: no such path, wrong method."""
    if not isinstance(error, HTTPException):
        raise error
    code = (error.headers or {}).get(ERROR_HEADER, "ValidationError")
    return _error_answer(error.status_code, code, error.detail)


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
