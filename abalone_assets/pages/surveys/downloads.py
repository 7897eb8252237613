"""Downloads."""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from abalone_assets.pages.site import HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CSV: Final = "text/csv; charset=utf-8"
_NOT_PLAIN: Final = re.compile(r"""[^ -~]|["\\%/]""")
_NUMBER: Final = re.compile(r"\A(-?[0-9]+)\.([0-9]+)\Z")


def attachment(data: bytes, name: str) -> Response:
    """A CSV file to keep, which no browser shows as a page, whatever is in it."""
    return Response(data, headers=_headers(name), media_type=_CSV)


def streamed_attachment(pieces: Iterator[bytes], name: str) -> Response:
    """The same of one that comes in pieces, which is never in memory as a whole."""
    return StreamingResponse(pieces, headers=_headers(name), media_type=_CSV)


def with_decimal_commas(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A CSV of plain numbers as spreadsheets read it where decimals have a comma.

    Its fields are between semicolons, after a byte order mark. Words keep their points.
    """
    written = io.StringIO()
    writer = csv.writer(written, delimiter=";", lineterminator="\n")
    for lines in _whole_lines(pieces):
        for fields in csv.reader(lines):
            writer.writerow([_NUMBER.sub(r"\1,\2", field) for field in fields])
        yield written.getvalue().encode("utf-8")
        written.seek(0)
        written.truncate()


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[list[str]]:
    """What comes in pieces, by whole lines, after a byte order mark."""
    rest = codecs.BOM_UTF8
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield [f"{line.decode()}\n" for line in whole]
    if rest:
        yield [rest.decode()]


def _headers(name: str) -> dict[str, str]:
    """Those of a file to keep: its name, and before it a plain one (RFC 6266, appendix D)."""
    plain = _NOT_PLAIN.sub("_", name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return {**HEADERS, "Content-Disposition": disposition}
