"""Fits beside each other: XGBoost and NumPy let other threads run while they compute."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[Result]:
    """What becomes of each item, in their order, each as soon as all before it are done.

    When one fails, or nobody asks for more, those that have not begun never do.

    Args:
        work: Must do with any thread, and with others at the same time.
        items: What to work on.
        threads: At most so many; as many as there are processors when None.
    """
    executor = ThreadPoolExecutor(threads or os.cpu_count())
    try:
        yield from executor.map(work, items)
    finally:
        executor.shutdown(cancel_futures=True)
