"""The preparation, once, as Narwhals expressions: merge, remove exact repeats, split by hash.

Every engine that Narwhals reads (Polars here, PySpark in a Glue job) gives identical rows and
splits, because the arithmetic is on integers only.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, Final, TypeVar

import narwhals as nw

from abalone_assets.etl.request import SPLIT_PERCENT
from abalone_assets.survey import COLUMNS, MEASUREMENT_DECIMALS, MEASUREMENTS, SEXES

if TYPE_CHECKING:
    from narwhals.typing import IntoLazyFrameT

SURVEY_COLUMNS: Final = tuple(column.name for column in COLUMNS)
HASH_MODULUS: Final = 2**31 - 1
HASH_BASE: Final = 1_103_515_245
"""Below the modulus, so that no product leaves a signed 64-bit integer."""

_Frame = TypeVar("_Frame", bound="nw.LazyFrame[Any]")


def merge(frames: list[nw.LazyFrame[IntoLazyFrameT]]) -> nw.LazyFrame[IntoLazyFrameT]:
    """All rows of all surveys, exact repeats removed, in an order that depends on the rows only.

    Args:
        frames: Frames with the nine survey columns and ``source_file``.

    Returns:
        The nine survey columns; ``source_file``, the first file by name that has the row; and
        ``bucket``, 0 to 99, by which the row belongs to a split.
    """
    rows = nw.concat([frame.select(*SURVEY_COLUMNS, "source_file") for frame in frames])
    unique = rows.group_by(*SURVEY_COLUMNS).agg(nw.col("source_file").min())
    hashed = unique.with_columns(row_hash=_row_hash())
    ordered = hashed.sort("row_hash", *SURVEY_COLUMNS)
    return ordered.select(*SURVEY_COLUMNS, "source_file", bucket=nw.col("row_hash") % 100)


def split(merged: _Frame, name: str) -> _Frame:
    """The rows of one split: the nine survey columns, features and target.

    A row's split follows from its own values, so it keeps its split for ever, however the data
    grows or is ordered, and no row can be in two splits.
    """
    first = 0
    for split_name, percent in SPLIT_PERCENT.items():
        if split_name == name:
            in_split = (nw.col("bucket") >= first) & (nw.col("bucket") < first + percent)
            return merged.filter(in_split).select(*SURVEY_COLUMNS)
        first += percent
    raise ValueError(f"{name}: the splits are {', '.join(SPLIT_PERCENT)}")


def _row_hash() -> nw.Expr:
    """A polynomial over the row's fixed-point fields, modulo the Mersenne prime 2^31 - 1.

    Carter and Wegman, Universal classes of hash functions (1979). Multiplied once more at the end,
    so that neighbouring values of the last field fall into unrelated buckets.
    """
    scale = 10**MEASUREMENT_DECIMALS
    sex = reduce(
        add,
        (
            (nw.col("sex") == nw.lit(code)).cast(nw.Int64) * i
            for i, code in enumerate(SEXES, start=1)
        ),
    )
    fields = [sex, nw.col("rings").cast(nw.Int64)]
    fields += [(nw.col(name) * scale).round(0).cast(nw.Int64) for name in MEASUREMENTS]
    accumulated = fields[0]
    for field in [*fields[1:], nw.lit(0)]:
        accumulated = (accumulated * HASH_BASE + field) % HASH_MODULUS
    return accumulated
