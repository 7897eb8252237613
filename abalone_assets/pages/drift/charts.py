"""The small charts of the page: places of bars and points, in the units of an SVG's view box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from abalone_assets.lake.last_drift import FeatureNumbers

WIDTH: Final = 120
HEIGHT: Final = 36
_GAP: Final = 2
_MARGIN: Final = 3
_LEAST_TOP: Final = 0.25
"""A chart of small indices shows them as small: 0.25 counts as a large shift."""


@dataclass(frozen=True)
class Bar:
    """A bar, and the mark that it would reach without drift.

    Attributes:
        x: Left edge.
        y: Upper edge.
        width: Of the bar and of the mark.
        height: Of the bar.
        mark: Height of the mark above the lower edge, from above.
    """

    x: float
    y: float
    width: float
    height: float
    mark: float


def bars(feature: FeatureNumbers) -> list[Bar]:
    """Shares of the requests, each bar beside the training split's; none where nobody told them."""
    shares, expected = feature.bins, feature.expected
    if not shares or len(shares) != len(expected):
        return []
    top = max(*shares, *expected)
    room, width = WIDTH / len(shares), WIDTH / len(shares) - _GAP
    return [
        Bar(
            x=round(number * room + _GAP / 2, 2),
            y=round(HEIGHT - HEIGHT * share / top, 2),
            width=round(width, 2),
            height=round(HEIGHT * share / top, 2),
            mark=round(HEIGHT - HEIGHT * wanted / top, 2),
        )
        for number, (share, wanted) in enumerate(zip(shares, expected, strict=True))
    ]


def in_words(feature: FeatureNumbers) -> str:
    """The same as text."""
    pairs = zip(feature.bins, feature.expected, strict=True)
    return ", ".join(f"{100 * share:.0f} % for {100 * wanted:.0f} %" for share, wanted in pairs)


@dataclass(frozen=True)
class Trend:
    """An index over days.

    Attributes:
        points: ``x,y`` of each day, in order, separated by blanks.
        last: Place of the last day.
        limit: Height of the line that drift lies above, from above; None where nobody told it.
    """

    points: str
    last: tuple[float, float]
    limit: float | None


def trend(points: Sequence[tuple[date, float]], limit: float | None) -> Trend | None:
    """An index over the days that had enough animals; None where there were none."""
    if not points:
        return None
    first, last = points[0][0].toordinal(), points[-1][0].toordinal()
    top = max(_LEAST_TOP, limit or 0, *(index for _, index in points))
    wide, high = WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN

    def height_of(index: float) -> float:
        return round(_MARGIN + high - high * index / top, 2)

    places = [
        (
            round(_MARGIN + wide * (day.toordinal() - first) / max(last - first, 1), 2),
            height_of(index),
        )
        for day, index in points
    ]
    drawn = " ".join(f"{x},{y}" for x, y in places)
    return Trend(drawn, places[-1], None if limit is None else height_of(limit))
