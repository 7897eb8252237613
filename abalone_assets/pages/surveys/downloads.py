"""Downloads."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from abalone_assets.pages.site import HEADERS


def attachment(data: bytes, name: str) -> Response:
    """A CSV file to keep, which no browser shows as a page, whatever is in it."""
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    headers = {**HEADERS, "Content-Disposition": disposition}
    return Response(data, headers=headers, media_type="text/csv; charset=utf-8")
