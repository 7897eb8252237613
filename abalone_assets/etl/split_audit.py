"""Whether the test split holds just the rows that the rows' hash puts there, each of them once."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.etl.preparation import SURVEY_COLUMNS
from abalone_assets.survey.splits import buckets_of

_COMPARED = (*SURVEY_COLUMNS, "origin")


@dataclass(frozen=True)
class SplitAudit:
    """What differs between the test split and the rows of all data whose hash says test.

    Attributes:
        missing: Rows of all data that the split lacks.
        foreign: Rows of the split that all data lacks, or has fewer of: an invented or altered row,
            one of another origin, a row that was repeated.
    """

    missing: int
    foreign: int


def audit_test_split(merged: str, test: str) -> SplitAudit:
    """Compare the test split, row by row, with the rows of all data whose hash says test.

    Both are multisets of the nine survey columns and ``origin``: a row that stands there four times
    counts four times. Both are given by path or URI.

    Raises:
        StorageError: One of them is missing or cannot be read.
    """
    wanted = buckets_of("test_split")
    in_range = pl.col("bucket").is_between(wanted.start, wanted.stop - 1)
    try:
        expected = _counted(pl.scan_parquet(merged, glob=False).filter(in_range), "expected")
        there = _counted(pl.scan_parquet(test, glob=False), "there")
        both = expected.join(there, on=_COMPARED, how="full", coalesce=True, nulls_equal=True)
        surplus = pl.col("there").fill_null(0) - pl.col("expected").fill_null(0)
        found = both.select(
            missing=(-surplus).clip(lower_bound=0).sum(), foreign=surplus.clip(lower_bound=0).sum()
        )
        return SplitAudit(**found.collect().row(0, named=True))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(
            f"{merged} cannot be compared with {test}; materialize merged_dataset first: {error}"
        ) from error


def _counted(rows: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Each distinct row, and how often it stands there."""
    return rows.group_by(_COMPARED).agg(pl.len().cast(pl.Int64).alias(name))
