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
    """What there is to see, as soon as there is something.

    Raises:
        AssertionError: There is nothing after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing to see after {seconds} s"
        time.sleep(0.01)
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
