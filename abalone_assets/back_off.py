"""How long to wait before what failed is tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from datetime import timedelta

_Wait = TypeVar("_Wait", float, "timedelta")
_MOST_DOUBLINGS: Final = 20  # no wait of use is longer, and a timedelta would overflow


def doubled(first: _Wait, times: int, longest: _Wait) -> _Wait:
    """A wait that doubles each time, up to the longest.

    Args:
        first: The first wait, in seconds or as a timedelta.
        times: How often it has doubled since, at least 0.
        longest: In the same unit.
    """
    return min(min(first, longest) * (1 << min(times, _MOST_DOUBLINGS)), longest)
