"""BLAS in one thread, however many it could have: then the same data give the same bits.

Fits run beside each other instead, see `parallel_map`.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Shared:
    """How many threads are in the context, and what sets BLAS back when the last one leaves."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.limit: Any = None


_shared: Final = _Shared()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """NumPy's BLAS and LAPACK compute in the caller's thread for as long as anybody is in here.

    Their number of threads is the process's, so that of others is 1 too in the meantime: the first
    to enter changes it, and the last to leave sets it back.
    """
    with _shared.lock:
        if not _shared.inside:
            _in_any_thread()
            _shared.limit = _libraries().limit(limits=1)
        _shared.inside += 1
    try:
        yield
    finally:
        with _shared.lock:
            _shared.inside -= 1
            if not _shared.inside:
                _in_any_thread()
                _shared.limit.restore_original_limits()
                _in_any_thread()


@cache
def _libraries() -> Any:  # noqa: ANN401 - threadpoolctl has no types
    """The libraries for linear algebra that are loaded, NumPy's among them."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _in_any_thread() -> None:
    """Let this thread set limits: threadpoolctl obeys the first one that did, and no other."""
    from threadpoolctl import OpenBLASController

    OpenBLASController.clear_controlling_thread(force=True)
