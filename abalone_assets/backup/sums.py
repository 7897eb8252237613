"""The checksums of a copy, in a file as `sha256sum` writes and checks it."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUMS: Final = "SHA256SUMS"

_ESCAPE: Final = "\\"
_ESCAPED: Final = {_ESCAPE: r"\\", "\n": r"\n", "\r": r"\r"}
"""What a line cannot hold, the backslash first; such a line begins with one."""


def sums_file(digests: Mapping[str, str]) -> bytes:
    """The file's bytes.

    Args:
        digests: SHA-256 in hex by path below the copy.
    """
    return b"".join(_line(name, digest) for name, digest in sorted(digests.items()))


def read_sums(copy: Path) -> dict[str, str]:
    """The digests that a copy's file has, by path below the copy.

    Raises:
        OSError: It cannot be read.
    """
    lines = os.fsdecode((copy / SUMS).read_bytes()).split("\n")
    return dict(_entry(line) for line in lines if line)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hex; empty when there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _line(name: str, digest: str) -> bytes:
    """As `sha256sum` writes it: crews call files whatever they like, in whatever encoding."""
    escaped = name
    for character, written in _ESCAPED.items():
        escaped = escaped.replace(character, written)
    return os.fsencode(f"{'' if escaped == name else _ESCAPE}{digest}  {escaped}\n")


def _entry(line: str) -> tuple[str, str]:
    digest, _, name = line.removeprefix(_ESCAPE).partition("  ")
    if line.startswith(_ESCAPE):
        characters = {written: character for character, written in _ESCAPED.items()}
        name = re.sub(r"\\.", lambda found: characters.get(found[0], found[0]), name)
    return name, digest
