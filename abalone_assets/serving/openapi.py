"""The OpenAPI document of an endpoint's server: every route that a program or a person may ask.

What the endpoint promises stands here; what a page promises to programs, beside the page. A route
that only shows a page, or takes its form, needs no words of its own.
"""

from __future__ import annotations

import re
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import models_json_schema
from starlette.responses import JSONResponse
from starlette.routing import Route

import abalone_assets
from abalone_assets.pages.operations import HTML, JSON, SCHEMA_REFERENCE, Body, Operation
from abalone_assets.serving import shapes
from abalone_assets.survey.columns import SCALE
from abalone_assets.survey.units import MM_G

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

PATH: Final = "/openapi.json"
VERSION: Final = "3.1.1"
_CSV: Final = "text/csv"
_LINE: Final = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\n"
_ROW: Final = ["M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15]
UNITS: Final = "units"
"""The parameter of a content type that tells units, as `modeling.inference` reads it."""

_PARAMETER: Final = re.compile(r"\{(\w+)\}")

_MEASURED: Final = "M,91,73,19,102.8,44.9,20.2,30\n"
_MEASURED_ROW: Final = ["M", 91, 73, 19, 102.8, 44.9, 20.2, 30]
_IN_MM_AND_G: Final = f"; {UNITS}={MM_G.name}"

_ASKS: Final = [
    Body(shapes.Instances, example={"instances": [_ROW]}),
    Body(shapes.Instances, JSON + _IN_MM_AND_G, example={"instances": [_MEASURED_ROW]}),
    Body(media_type=_CSV, example=_LINE),
    Body(media_type=_CSV + _IN_MM_AND_G, example=_MEASURED),
]
_UNITS_WORDS: Final = (
    f"Lengths are in mm / {SCALE} and weights in g / {SCALE}, unless the content type tells other "
    f"units by its parameter {UNITS}, such as {_CSV}{_IN_MM_AND_G}. An animal that clearly is in "
    "other units than told is refused."
)
_PREDICTED: Final = [Body(media_type=_CSV), Body(shapes.Predictions)]
_ERROR: Final = [Body(shapes.ServiceError)]


def endpoint_operations(endpoint: str) -> dict[str, Operation]:
    """What the endpoint of this name promises, by path."""
    named = {"name": ("path", endpoint)}
    refusals = dict.fromkeys(
        (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE), _ERROR
    ) | {HTTPStatus.SERVICE_UNAVAILABLE: _ERROR}
    by_model = dict.fromkeys((HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.NOT_ACCEPTABLE), _ERROR)
    return {
        "/ping": Operation(
            "ping",
            "Whether a model is loaded",
            {HTTPStatus.OK: [], HTTPStatus.SERVICE_UNAVAILABLE: _ERROR},
        ),
        "/invocations": Operation(
            "invoke",
            "Rings of abalones, as SageMaker asks a container for them",
            {HTTPStatus.OK: _PREDICTED} | refusals | by_model,
            _ASKS,
            method="post",
            description=_UNITS_WORDS,
        ),
        "/endpoints/{name}": Operation(
            "describe_endpoint",
            "What the endpoint serves",
            {HTTPStatus.OK: [Body(shapes.EndpointState)], HTTPStatus.BAD_REQUEST: _ERROR},
            parameters=named,
        ),
        "/endpoints/{name}/invocations": Operation(
            "invoke_endpoint",
            "Rings of abalones, as SageMaker's runtime API answers",
            {HTTPStatus.OK: _PREDICTED}
            | refusals
            | {HTTPStatus.FAILED_DEPENDENCY: [Body(shapes.ModelError)]},
            _ASKS,
            named,
            method="post",
            description=_UNITS_WORDS,
        ),
        "/metrics": Operation(
            "metrics",
            "The server's numbers, for Prometheus",
            {HTTPStatus.OK: [Body(media_type="text/plain")]},
        ),
        PATH: Operation("openapi", "This document", {HTTPStatus.OK: [Body(shapes.Document)]}),
    }


class Api:
    """The document of an application.

    Args:
        operations: What its routes promise, by path.
    """

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations
        self.routes: Sequence[BaseRoute] = ()

    async def tell(self, _request: Request) -> Response:
        """The document."""
        return JSONResponse(self.document)

    @cached_property
    def document(self) -> dict[str, Any]:
        """Built once, when every route is there."""
        paths = _pages(self.routes)
        for path, each in self._operations.items():
            paths.setdefault(path, {})[each.method] = each.document()
        return {
            "openapi": VERSION,
            "info": {
                "title": "Abalone",
                "version": abalone_assets.__version__,
                "description": "How many rings an abalone has, and how old it is.",
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {"schemas": _schemas(self._operations.values())},
        }


def _pages(routes: Iterable[BaseRoute]) -> dict[str, dict[str, Any]]:
    """What is known of every route: it shows a page to a person, or takes the form of one."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                told = _page(method.lower(), route.path_format)
                paths.setdefault(route.path_format, {})[method.lower()] = told
    return paths


def _page(method: str, path: str) -> dict[str, Any]:
    parameters = _PARAMETER.findall(path)
    shown = Operation(
        "_".join(["show" if method == "get" else method, *re.findall(r"\w+", path)]),
        "A page for people" if method == "get" else "A page's form",
        {HTTPStatus.OK: [Body(media_type=HTML)]},
        parameters=dict.fromkeys(parameters, ("path", "0" * 64)),
        tag="pages",
    ).document()
    shown["responses"]["default"] = {
        "description": "What is wrong, as a page for browsers",
        "content": {each.media_type: each.document() for each in (Body(media_type=HTML), *_ERROR)},
    }
    return shown


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    found = {shape for each in operations for shape in each.shapes}
    ordered = sorted(found, key=lambda shape: shape.__name__)
    _, document = models_json_schema(
        [(shape, "validation") for shape in ordered], ref_template=SCHEMA_REFERENCE
    )
    schemas: dict[str, Any] = document["$defs"]
    return schemas
