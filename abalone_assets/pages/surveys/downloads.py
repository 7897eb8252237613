"""Downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from abalone_assets.pages.site import HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterator

_CSV: Final = "text/csv; charset=utf-8"


def attachment(data: bytes, name: str) -> Response:
    """A CSV file to keep, which no browser shows as a page, whatever is in it."""
    return Response(data, headers=_headers(name), media_type=_CSV)


def streamed_attachment(pieces: Iterator[bytes], name: str) -> Response:
    """The same of one that comes in pieces, which is never in memory as a whole."""
    return StreamingResponse(pieces, headers=_headers(name), media_type=_CSV)


def _headers(name: str) -> dict[str, str]:
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return {**HEADERS, "Content-Disposition": disposition}
