"""Bodies of requests, read no further than a limit."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request


async def read_body(request: Request, most: int) -> bytes:
    """The request's body.

    Args:
        request: What is read.
        most: Bytes that it may have.

    Raises:
        HTTPException: It has more (413), or is compressed (415).
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"a body in the content coding {coding[:40]!r} is not read; send it as it is",
            headers={"Accept-Encoding": "identity"},
        )
    too_large = HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the request body exceeds {most} bytes; send fewer rows at a time",
    )
    if int(request.headers.get("content-length", 0)) > most:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise too_large
    return bytes(body)
