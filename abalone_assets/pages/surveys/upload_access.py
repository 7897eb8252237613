"""Who may upload: anybody on this machine, or who has the token; and never another site's page.

Who may read the pages follows from the same: on loopback, only under a name of this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.requests import Request

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_BEARER: Final = "bearer "


@dataclass(frozen=True)
class UploadAccess:
    """Who may upload to a server.

    Attributes:
        address: That the server listens on.
        token: What a person has to know; empty where none is set.
    """

    address: str
    token: str = ""

    @property
    def is_on(self) -> bool:
        """Whether anybody may: beyond this machine only with a token."""
        return bool(self.token) or is_loopback(self.address)

    @property
    def needs_token(self) -> bool:
        """Whether a form has to ask for the token; where one is set, it is asked for everywhere."""
        return bool(self.token)

    def check_request(self, request: Request) -> None:
        """Refuse what may not upload here, whatever token it has.

        Raises:
            HTTPException: Uploading is off; the request came through a proxy, or under a name that
                another site made point here, though no token is set; or it is a form of another
                site (403).
        """
        if not self.is_on:
            raise _forbidden(
                "uploading is off: this server answers beyond its own machine, so set "
                "ABALONE_UPLOAD_TOKEN and start it again, or land surveys with `abalone land`"
            )
        headers = request.headers
        if not self.token and not _is_local(headers):
            raise _forbidden(
                "without ABALONE_UPLOAD_TOKEN, uploading is for this machine alone: open the page "
                "at http://127.0.0.1 and its port, or set the token and start the server again"
            )
        if request.method == "POST" and not _is_own_form(headers):
            raise _forbidden("this form was sent by another site; open the upload page here")

    def check_host(self, headers: Headers) -> None:
        """Refuse a reader to whom another site's name was made to point here (DNS rebinding).

        That site's page is of the same origin then, for the browser, and could read ours. Beyond
        loopback, or with a token, the server is meant to be asked under other names.

        Raises:
            HTTPException: The server is on loopback without a token, and is called something else
                (403).
        """
        if is_loopback(self.address) and not self.token and not _has_local_name(headers):
            raise _forbidden(
                "without ABALONE_UPLOAD_TOKEN, this page is for this machine alone: open it at "
                "http://127.0.0.1 and its port, or set the token and start the server again"
            )

    def check_token(self, headers: Headers, given: str) -> None:
        """Refuse who does not know the token: from the form, or as a bearer token.

        Raises:
            HTTPException: It is missing or wrong (403).
        """
        authorization = headers.get("authorization", "")
        if authorization[: len(_BEARER)].lower() == _BEARER:
            given = given or authorization[len(_BEARER) :].strip()
        if self.token and not hmac.compare_digest(given.encode(), self.token.encode()):
            what = "is not right" if given else "is missing, or comes after the file"
            raise _forbidden(f"the upload token {what}; ask whoever runs this server for it")


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own, and nobody else's."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_local(headers: Headers) -> bool:
    """Whether a request came straight from this machine, under a name of this machine."""
    if any(name in headers for name in _FORWARDED):
        return False
    return _has_local_name(headers)


def _has_local_name(headers: Headers) -> bool:
    """Whether the name that a request calls the server by is one of this machine."""
    try:
        return is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname or "")
    except ValueError:
        return False


def _is_own_form(headers: Headers) -> bool:
    """Whether a POST is of a page of this server, or of no browser.

    Browsers tell where a form is from: by ``Sec-Fetch-Site`` (W3C Fetch Metadata) or by ``Origin``,
    which they send with every POST (Fetch standard). Other programs send neither.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False


def _forbidden(message: str) -> HTTPException:
    return HTTPException(HTTPStatus.FORBIDDEN, message)
