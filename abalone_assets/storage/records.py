"""JSON documents as records: dataclasses whose every field is checked."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from abalone_assets.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable

_Record = TypeVar("_Record")
_adapter: Final[Callable[[Any], TypeAdapter[Any]]] = cache(TypeAdapter)


def record_of(
    kind: type[_Record], document: object, place: str, *, remedy: str, version: int | None = None
) -> _Record:
    """A JSON document as a record; fields that this release does not know are left out.

    So what a later release adds to a format does not keep this one from reading it.

    Args:
        kind: A dataclass, or a type made of some, such as ``tuple[Override, ...]``.
        document: What `json.loads` returned.
        place: Where it was read, such as an object's URI.
        remedy: What to do when it is damaged, as the second half of a sentence.
        version: What its ``format`` must be; None when it has none.

    Raises:
        DamagedError: It is of another format, or a field is missing or not of its type; the
            message names the field.
    """
    found = document.get("format") if isinstance(document, dict) else None
    if version is not None and found not in (version, None):
        raise DamagedError(f"{place}: format {found!r}, but this release reads {version}")
    try:
        record: _Record = _adapter(kind).validate_python(document)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(map(str, problem["loc"])) or "document"
        told = problem["msg"].removeprefix("Value error, ").lower()
        raise DamagedError(f"{place}: {field}: {told}; {remedy}") from error
    return record
