"""Forms with a file, read no further than a limit, and no file of who may not send one."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

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
    """Read a form that has no file.

    Raises:
        HTTPException: It is none (400), or too large (413).
    """
    limited = _limited(request, FORM_BYTES)
    async with limited.form(max_files=0, max_fields=MAX_FIELDS) as given:
        return Form({name: value for name, value in given.items() if isinstance(value, str)})


async def read_upload(request: Request, check_token: Callable[[str], None]) -> Form:
    """Read a form with a file, of whose bytes none is kept before the token has been checked.

    Args:
        request: What is read.
        check_token: Given the form's token, as far as the form has come: raises an `HTTPException`
            when its sender may not upload.

    Raises:
        HTTPException: The sender may not upload; it is no such form (400), or too large (413).
    """
    limited = _limited(request, MAX_UPLOAD_BYTES + FORM_BYTES)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        form = await read_form(request)
        check_token(form.text("token"))
        return form
    parser = _TokenFirst(limited.headers, limited.stream(), check_token)
    try:
        given = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, error.message) from error
    try:
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        check_token(texts.get("token", "").strip())
        file = given.get("file")
        if not isinstance(file, UploadFile):
            return Form(texts)
        return Form(texts, file.filename or "", await file.read())
    finally:
        await given.close()


class _TokenFirst(MultiPartParser):
    """Reads a form until its file begins, and on only where what came before has the token."""

    def __init__(
        self,
        headers: Headers,
        stream: AsyncGenerator[bytes, None],
        check_token: Callable[[str], None],
    ) -> None:
        super().__init__(headers, stream, max_files=1, max_fields=MAX_FIELDS)
        self._check_token = check_token

    def on_headers_finished(self) -> None:
        """Called where a field or a file begins."""
        super().on_headers_finished()
        if self._current_part.file is not None:
            came = {name: value for name, value in self.items if isinstance(value, str)}
            self._check_token(came.get("token", "").strip())


def _limited(request: Request, most: int) -> Request:
    """The request, its body up to a limit; one that says that it is larger is not read at all."""
    too_large = HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"a survey above {MAX_UPLOAD_BYTES // 2**20} MB is not taken here; split it, or use "
        "`abalone land`",
    )
    if int(request.headers.get("content-length", 0)) > most:
        raise too_large
    return Request(request.scope, _counted(request.receive, most, too_large))


def _counted(receive: Receive, most: int, too_large: HTTPException) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise too_large
        return message

    return counted
