"""Lists in the portions that an AWS call takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_Item = TypeVar("_Item")


def in_batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """The items, ``size`` at a time; the last batch may be smaller."""
    return (items[start : start + size] for start in range(0, len(items), size))
