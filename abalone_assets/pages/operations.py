"""What a route promises to programs, for the OpenAPI document: written beside the route itself.

An operation is an `Operation Object <https://spec.openapis.org/oas/v3.1.1.html#operation-object>`_;
its schemas are pydantic models, so what is promised is what is answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
SCHEMA_REFERENCE: Final = "#/components/schemas/{model}"

Shape = type[BaseModel] | None
"""The schema of a JSON body; None where it is a text."""


@dataclass(frozen=True)
class Body:
    """A request's or an answer's body.

    Attributes:
        shape: Of a JSON body.
        media_type: Its type.
        example: One that is understood.
    """

    shape: Shape = None
    media_type: str = JSON
    example: Any = None

    def document(self) -> dict[str, Any]:
        """As a Media Type Object."""
        schema: dict[str, Any] = {"type": "string"}
        if self.shape is not None:
            schema = {"$ref": SCHEMA_REFERENCE.format(model=self.shape.__name__)}
        return {"schema": schema} | ({} if self.example is None else {"example": self.example})


@dataclass(frozen=True)
class Operation:
    """What a method of a path does.

    Attributes:
        name: Its ``operationId``, which generated clients call it by.
        summary: In a few words.
        answers: Each status with its bodies; none where the answer is empty.
        asks: The bodies that a request may have.
        parameters: By name, as ``path`` or ``query``, with an example.
        method: The HTTP method, in lower case.
        tag: What it belongs to.
        description: What else a caller has to know.
    """

    name: str
    summary: str
    answers: Mapping[HTTPStatus, Sequence[Body]]
    asks: Sequence[Body] = ()
    parameters: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    method: str = "get"
    tag: str = "endpoint"
    description: str = ""

    @property
    def shapes(self) -> set[type[BaseModel]]:
        """The models that its bodies refer to."""
        bodies = [*self.asks, *(body for each in self.answers.values() for body in each)]
        return {body.shape for body in bodies if body.shape is not None}

    def document(self) -> dict[str, Any]:
        """As an Operation Object."""
        told: dict[str, Any] = {
            "operationId": self.name,
            "summary": self.summary,
            "tags": [self.tag],
        }
        if self.description:
            told["description"] = self.description
        if self.parameters:
            told["parameters"] = [
                {
                    "name": name,
                    "in": place,
                    "required": place == "path",
                    "schema": {"type": "string"},
                    "example": example,
                }
                for name, (place, example) in self.parameters.items()
            ]
        if self.asks:
            told["requestBody"] = {"required": True, "content": _content(self.asks)}
        return told | {
            "responses": {
                str(int(status)): {"description": status.phrase} | _with_content(bodies)
                for status, bodies in self.answers.items()
            }
        }


def _with_content(bodies: Sequence[Body]) -> dict[str, Any]:
    return {"content": _content(bodies)} if bodies else {}


def _content(bodies: Sequence[Body]) -> dict[str, Any]:
    return {body.media_type: body.document() for body in bodies}
