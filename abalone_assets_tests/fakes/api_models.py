"""Requests held against botocore's models, also against what boto3 does not check itself."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.validate import ParamValidator
from moto.sagemaker.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape


def check_request(operation: str, params: dict[str, Any]) -> None:
    """Refuse what SageMaker's API refuses: by names, types, lengths, ranges, patterns, enums.

    Raises:
        ValidationError: The request is one that the service would not look at.
    """
    shape = _model().operation_model(operation).input_shape
    assert shape is not None
    if report := ParamValidator().validate(params, shape).generate_report():
        raise ValidationError(message=f"1 validation error detected: {report}")
    for complaint in _complaints(shape, params, ""):
        raise ValidationError(message=f"1 validation error detected: {complaint}")


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def _complaints(shape: Shape, value: Any, where: str) -> Iterator[str]:
    kind = shape.type_name
    if kind in {"list", "map", "string"}:
        yield from _out_of_range(shape, len(value), where)
    if kind == "structure":
        for name in value:
            yield from _complaints(shape.members[name], value[name], f"{where}.{name}".lstrip("."))
    elif kind == "list":
        for number, each in enumerate(value):
            yield from _complaints(shape.member, each, f"{where}[{number}]")
    elif kind == "map":
        for key, each in value.items():
            yield from _complaints(shape.key, key, f"{where}.{key}")
            yield from _complaints(shape.value, each, f"{where}.{key}")
    elif kind == "string":
        yield from _misspelt(shape, value, where)
    elif kind in {"integer", "long", "float", "double"}:
        yield from _out_of_range(shape, value, where)


def _misspelt(shape: Shape, text: str, where: str) -> Iterator[str]:
    if (names := getattr(shape, "enum", None)) and text not in names:
        yield f"{_told(where)} satisfy enum value set: {names}"
    if (pattern := shape.metadata.get("pattern")) and not _matches(pattern, text):
        yield f"{_told(where)} satisfy regular expression pattern: {pattern}"


def _out_of_range(shape: Shape, size: float, where: str) -> Iterator[str]:
    if size < shape.metadata.get("min", size):
        yield f"{_told(where)} be at least {shape.metadata['min']}"
    if size > shape.metadata.get("max", size):
        yield f"{_told(where)} be at most {shape.metadata['max']}"


def _told(where: str) -> str:
    return f"Value at '{where}' failed to satisfy constraint: Member must"


def _matches(pattern: str, text: str) -> bool:
    if r"\p{" in pattern:
        return not re.search(r"[\x00-\x08]", text)  # Unicode's classes: letters of any script
    return re.fullmatch(pattern, text, re.ASCII) is not None
