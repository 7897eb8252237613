"""Forms with a file, read no further than a limit."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Receive

MAX_UPLOAD_BYTES: Final = 16 * 2**20
"""Some 300,000 animals; more at once are for `abalone land`."""

MAX_FIELDS: Final = 8
FORM_BYTES: Final = 2**16
"""What a form may have beside its file."""


@dataclass(frozen=True)
class Form:
    """What a form sent: its fields, and its file's name and bytes, empty where it has none."""

    texts: Mapping[str, str]
    name: str = ""
    data: bytes = b""

    def text(self, field: str) -> str:
        """A field, empty where the form has none of that name."""
        return self.texts.get(field, "").strip()


async def read_form(request: Request) -> Form:
    """Read a form.

    Raises:
        HTTPException: It is none (400), or too large (413).
    """
    limited = Request(request.scope, _limited(request.receive))
    async with limited.form(max_files=1, max_fields=MAX_FIELDS) as given:
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        file = given.get("file")
        if not isinstance(file, UploadFile):
            return Form(texts)
        return Form(texts, file.filename or "", await file.read())


def _limited(receive: Receive) -> Receive:
    """The body of a request, up to the limit."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_UPLOAD_BYTES + FORM_BYTES:
            limit = MAX_UPLOAD_BYTES // 2**20
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a survey above {limit} MB is not taken here; split it, or use `abalone land`",
            )
        return message

    return limited
