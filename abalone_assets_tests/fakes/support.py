"""What tests against the stand-in share."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Found = TypeVar("Found")


def wait_for(look: Callable[[], Found | None], seconds: float = 30.0) -> Found:
    """What there is to see, soon after there is something.

    It looks less often the longer it waits, lest looking takes the time of what is waited for.

    Raises:
        AssertionError: There is nothing after so many seconds.
    """
    started = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - started
        assert waited < seconds, f"nothing to see after {seconds} s"
        time.sleep(min(max(0.01, waited / 10), 0.5))
    return found


def packed(members: Mapping[str, bytes]) -> bytes:
    """A ``tar.gz`` of some files: of the same ones the same bytes, so that its server is kept."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
