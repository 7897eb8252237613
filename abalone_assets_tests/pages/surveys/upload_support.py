"""What tests of uploads share: the form as a browser sends it, and what has landed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from httpx2 import Response

NAME = "abalone.20250314061500"
ROWS = survey_rows(12).decode()


def upload(site: Site, content: str | bytes, given_name: str = NAME, **fields: str) -> Response:
    return site.client.post("/surveys/upload", files={"file": (given_name, content)}, data=fields)


def staged(site: Site, content: str | bytes, given_name: str = NAME, **fields: str) -> str:
    """The address of what the check found."""
    response = upload(site, content, given_name, **fields)
    assert response.status_code == 303, response.text
    return response.headers["location"]


def confirm(site: Site, place: str, **fields: str) -> Response:
    return site.client.post(place.partition("?")[0], data=fields)


def landed(site: Site) -> dict[str, str]:
    return {path.name: path.read_text() for path in site.zone.folder.iterdir()}


def send(site: Site, body: bytes, **headers: str) -> Response:
    content = {"Content-Type": "multipart/form-data; boundary=b"}
    return site.client.post("/surveys/upload", content=body, headers=content | headers)


def field(name: str, value: str, more: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return f"{head}{value}\r\n".encode()


FILE = field("file", ROWS, f'; filename="{NAME}"')
END = b"--b--\r\n"
