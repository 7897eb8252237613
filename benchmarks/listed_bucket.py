"""An S3 in memory that lists as many objects as one likes, so that what is measured is who asks.

A listing finds its place by bisection, as S3's own does: a stand-in that looks at all keys would
be what is measured. It has what a tick needs: ListObjectsV2, GetObject, HeadObject, PutObject with
conditions, DeleteObject. Run it as ``python -m benchmarks.listed_bucket``; it prints its port.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE: Final = 1000
WRITTEN: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Bucket:
    """Objects by key, in the order of the keys."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.data: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        """Keep an object."""
        if key not in self.data:
            if self.keys and key < self.keys[-1]:
                insort(self.keys, key)
            else:
                self.keys.append(key)
        self.data[key] = data

    def delete(self, key: str) -> None:
        """Forget an object, if there is one."""
        if self.data.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def page(
        self, prefix: str, after: str, delimiter: str, most: int
    ) -> tuple[list[str], list[str], str]:
        """Keys and common prefixes past ``after``; where to go on, empty at the end."""
        place = max(bisect_left(self.keys, prefix), bisect_right(self.keys, after) if after else 0)
        keys, folders = list[str](), list[str]()
        last = ""
        while place < len(self.keys) and self.keys[place].startswith(prefix):
            if len(keys) + len(folders) == most:
                return keys, folders, last
            key = self.keys[place]
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            if end < 0:
                keys.append(key)
                last, place = key, place + 1
            else:
                folders.append(key[: end + 1])
                last = f"{key[: end + 1]}\U0010ffff"
                place = bisect_right(self.keys, last)
        return keys, folders, ""


def e_tag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


class Handler(BaseHTTPRequestHandler):
    """Answers for any bucket: all of them are one."""

    protocol_version = "HTTP/1.1"
    bucket = Bucket()

    def do_GET(self) -> None:
        """ListObjectsV2 and GetObject."""
        parts = urlsplit(self.path)
        if "list-type" in parts.query:
            self._list({name: each[0] for name, each in parse_qs(parts.query).items()})
            return
        self._object(with_body=True)

    def do_HEAD(self) -> None:
        """HeadObject."""
        self._object(with_body=False)

    def do_PUT(self) -> None:
        """PutObject, with conditions."""
        size = int(self.headers.get("Content-Length", 0))
        data, there = self.rfile.read(size), self.bucket.data.get(self._key)
        wanted = self.headers.get("If-Match")
        taken = self.headers.get("If-None-Match") == "*" and there is not None
        if taken or (wanted and (there is None or e_tag(there) != wanted)):
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        self.bucket.put(self._key, data)
        self._answer(200, b"", {"ETag": e_tag(data)})

    def do_POST(self) -> None:
        """Take many objects of the same content at once: the content, then a key a line."""
        size = int(self.headers["Content-Length"])
        data, *keys = self.rfile.read(size).decode().splitlines()
        for key in sorted(keys):
            self.bucket.put(key, data.encode())
        self._answer(200, b"")

    def do_DELETE(self) -> None:
        """DeleteObject."""
        self.bucket.delete(self._key)
        self._answer(204, b"")

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def _object(self, *, with_body: bool) -> None:
        data = self.bucket.data.get(self._key)
        if data is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>" if with_body else b"")
            return
        if self.headers.get("If-None-Match") == e_tag(data):
            self._answer(304, b"", {"ETag": e_tag(data)})
            return
        self._answer(200, data, {"ETag": e_tag(data)}, with_body=with_body)

    def _list(self, asked: dict[str, str]) -> None:
        after = asked.get("continuation-token") or asked.get("start-after", "")
        most = min(int(asked.get("max-keys", PAGE)), PAGE)
        prefix = asked.get("prefix", "")
        keys, folders, last = self.bucket.page(prefix, after, asked.get("delimiter", ""), most)
        time = WRITTEN.isoformat().replace("+00:00", ".000Z")
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{time}</LastModified>"
            f"<ETag>{escape(e_tag(self.bucket.data[key]))}</ETag>"
            f"<Size>{len(self.bucket.data[key])}</Size></Contents>"
            for key in keys
        )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in folders
        )
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if last else ""
        self._answer(
            200,
            f"<ListBucketResult><Name>b</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(keys)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(bool(last)).lower()}</IsTruncated>{token}{contents}{common}"
            "</ListBucketResult>".encode(),
        )

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        with_body: bool = True,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Last-Modified", f"{WRITTEN:%a, %d %b %Y %H:%M:%S} GMT")
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body and status != 304:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
