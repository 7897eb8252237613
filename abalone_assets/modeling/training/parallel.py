"""Fits beside each other: XGBoost and NumPy let other threads run while they compute."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MOST: Final = 4
"""Fits that hold their memory at the same time: a blend's may be some 300 MB each."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[Result]:
    """What becomes of each item, in their order, each as soon as all before it are done.

    When one fails, or nobody asks for more, those that have not begun never do; those that have are
    waited for, because a thread cannot be ended.

    Args:
        work: Must do with any thread, and with others at the same time.
        items: What to work on.
        threads: At most so many; when None, one for each processor, but no more than `MOST`.
    """
    with ThreadPoolExecutor(threads or min(MOST, os.cpu_count() or 1)) as executor:
        yield from executor.map(work, items)
