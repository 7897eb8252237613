"""Arrays as bytes and back: NumPy's ``.npz``, in which nothing is ever executed."""

from __future__ import annotations

import io
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.errors import ModelArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def to_npz(arrays: Mapping[str, Any]) -> bytes:
    """The arrays by name as a file without pickles, the same bytes for the same arrays."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


_DAMAGED: Final = (
    *(OSError, EOFError, LookupError, RuntimeError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What NumPy and `zipfile` say of bytes that somebody changed."""


@contextmanager
def read_npz(data: bytes, wrong: str) -> Iterator[dict[str, Any]]:
    """The arrays that `to_npz` wrote, for as long as something is made of them.

    Args:
        data: The file's content.
        wrong: What to say when it is no such file, such as ``PATH: not a network``.

    Raises:
        ModelArchiveError: It is no such file, or nothing can be made of its arrays.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file}
        yield arrays
    except _DAMAGED as error:
        raise ModelArchiveError(f"{wrong}: {error}") from error
