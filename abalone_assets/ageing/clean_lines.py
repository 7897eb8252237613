"""Lines of animals as instruments write them, read by column: many at once, in a tenth of the time.

Clean is one of the three sexes and seven plain decimal numbers that are possible, in this order.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from abalone_assets.modeling.rows import checked_columns
from abalone_assets.survey import FEATURES, SEXES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_READABLE: Final = (
    string.digits + ".,\n" + "".join(each for each in string.ascii_letters if each not in "eEnN")
).encode()
"""Among these are no signs, exponents and words such as ``inf``: a field that Polars reads as a
number has digits and a point only."""

_SCHEMA: Final = pl.Schema(
    {name: pl.String() if name == "sex" else pl.Float64() for name in FEATURES}
)


@dataclass(frozen=True)
class CleanLines:
    """What was read of some lines.

    Attributes:
        columns: Sex and the seven measurements of the clean ones, canonical, ``n`` values each.
        places: Which lines these are, from 0, ``(n,)``.
        odd: The other lines, in their order: their places and their texts.
    """

    columns: list[Sequence[Any]]
    places: NDArray[np.int64]
    odd: list[tuple[int, str]]


def clean_lines(text: str) -> CleanLines | None:
    """The clean lines of a text, and the few others, which have to be read one by one.

    Args:
        text: Whole lines, of which none is split over several by quotes.

    Returns:
        None of a text in which lines have to be looked at more closely: it has a character that no
        clean line has, a number without digits, or one that is out of bounds.
    """
    data = text.encode() if text.endswith("\n") else f"{text}\n".encode()
    characters = np.frombuffer(data, dtype=np.uint8)
    is_end = characters == ord("\n")
    is_mark = characters < ord("0")  # of those that may be there: comma, point, end of line
    lacks_digit = is_mark[1:] & is_mark[:-1] & ~is_end[:-1]  # which Polars does not mind
    if data.translate(None, _READABLE) or lacks_digit.any():
        return None
    try:
        frame = pl.read_csv(
            data, has_header=False, schema=_SCHEMA, ignore_errors=True, truncate_ragged_lines=True
        )
    except pl.exceptions.PolarsError:  # the first line has other fields than eight
        return None
    ends = np.flatnonzero(is_end)
    if len(frame) != ends.size:  # blank lines
        return None
    is_clean = frame.select(
        pl.all_horizontal(pl.col("sex").is_in(SEXES), pl.exclude("sex").is_not_null())
    ).to_series()
    is_clean = is_clean.fill_null(value=False)
    odd = [(at, _line(data, ends, at)) for at in (~is_clean).arg_true().to_list()]
    # A line with more fields than eight was cut; one with fewer has nulls, and is odd.
    commas = data.count(b",") - sum(line.count(",") for _, line in odd)
    if commas != (len(FEATURES) - 1) * (len(frame) - len(odd)):
        return None
    sexes, *numbers = (frame.filter(is_clean) if odd else frame).get_columns()
    columns = checked_columns([sexes.to_list(), *[each.to_numpy() for each in numbers]])
    if columns is None:
        return None
    return CleanLines(columns, np.flatnonzero(is_clean.to_numpy()).astype(np.int64), odd)


def _line(data: bytes, ends: NDArray[np.intp], at: int) -> str:
    start = ends[at - 1] + 1 if at else 0
    return data[start : ends[at] + 1].decode()
