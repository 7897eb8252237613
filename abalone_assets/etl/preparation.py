"""The preparation, once, as Narwhals expressions: merge, remove exact repeats, split by hash.

Every engine that Narwhals reads (Polars here, PySpark in a Glue job) gives identical rows and
splits, because the arithmetic is on integers only.
"""

from __future__ import annotations

import math
from functools import reduce
from operator import add
from typing import Any, Final, TypeVar

import narwhals as nw

from abalone_assets.survey import COLUMNS, MEASUREMENT_DECIMALS, MEASUREMENTS, SEXES
from abalone_assets.survey.splits import BUCKETS, HASH_BASE, HASH_MODULUS, buckets_of

SURVEY_COLUMNS: Final = tuple(column.name for column in COLUMNS)
PROVENANCE: Final = ("source_file", "origin")
"""Where a row was written, and whether it was surveyed or simulated."""

SPLIT_COLUMNS: Final = (*SURVEY_COLUMNS, *PROVENANCE)

_Frame = TypeVar("_Frame", bound="nw.LazyFrame[Any]")


def is_missing(value: object) -> bool:
    """Whether a row lacks a value: none is there, or no finite number is."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def merge(rows: _Frame) -> _Frame:
    """All rows of all surveys, exact repeats removed, in an order that depends on the rows only.

    A row that was simulated once stays ``synthetic``, also where it was sent again in a file that
    is no simulation as a whole, such as a simulated file that a hand has edited or joined to a real
    one: else a simulation could pass for evidence. The price is nought in practice: no synthesizer
    here emits a row that it was fitted on, so no surveyed animal is taken for a simulated one.

    Args:
        rows: The nine survey columns, ``source_file``, ``origin``, and ``newest``: 1 in rows of the
            newest surveys, which come last and only if no other survey has them; 0 in the others.

    Returns:
        The nine survey columns; ``source_file``, the first file by name that has the row;
        ``origin``; and ``bucket``, 0 to 99, by which the row belongs to a split.
    """
    return bucketed(without_repeats(hashed(rows)))


def hashed(rows: _Frame) -> _Frame:
    """The rows with their hash, ``row_hash``: 0 to 2^31 - 2."""
    return rows.with_columns(row_hash=_row_hash())


def without_repeats(rows: _Frame) -> _Frame:
    """Hashed rows without exact repeats, in the order of ``merged_dataset``."""
    unique = rows.group_by(*SURVEY_COLUMNS).agg(
        nw.col("source_file").min(),
        nw.col("origin").max(),  # "example" < "surveyed" < "synthetic"
        nw.col("newest").min(),
        nw.col("row_hash").min(),  # that of all of them
    )
    return unique.sort("newest", "row_hash", *SURVEY_COLUMNS)


def bucketed(rows: _Frame) -> _Frame:
    """The columns of ``merged_dataset``, of hashed rows."""
    return rows.select(*SPLIT_COLUMNS, bucket=(nw.col("row_hash") % BUCKETS).cast(nw.Int64))


def split(merged: _Frame, name: str) -> _Frame:
    """The rows of one split: the nine survey columns, ``source_file`` and ``origin``.

    A row's split follows from the nine values alone, so it keeps its split for ever, however the
    data grows or is ordered, and no row can be in two splits.
    """
    buckets = buckets_of(name)
    in_split = (nw.col("bucket") >= buckets.start) & (nw.col("bucket") < buckets.stop)
    return merged.filter(in_split).select(*SPLIT_COLUMNS)


def _row_hash() -> nw.Expr:
    """The hash of `abalone_assets.survey.splits`.

    Multiplied once more at the end, so that neighbouring values of the last field fall into
    unrelated buckets.
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
