"""What a sensor remembers from one tick to the next."""

from __future__ import annotations

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

_Cursor = TypeVar("_Cursor")


def read_cursor(kind: type[_Cursor], text: str | None) -> _Cursor:
    """The cursor, or a fresh one when there is none or it is damaged."""
    try:
        return TypeAdapter(kind).validate_json(text or "{}")
    except ValidationError:
        return kind()
