"""Whether the test split holds every row that the rows' hash puts there."""

from __future__ import annotations

import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.etl.preparation import SURVEY_COLUMNS
from abalone_assets.survey.splits import buckets_of


def missing_test_rows(merged: str, test: str) -> int:
    """Count the rows of all data whose hash says test and that the test split lacks.

    Args:
        merged: Path or URI of ``merged_dataset``.
        test: Path or URI of ``test_split``.

    Raises:
        StorageError: One of them is missing or cannot be read.
    """
    wanted = buckets_of("test_split")
    in_range = pl.col("bucket").is_between(wanted.start, wanted.stop - 1)
    try:
        expected = pl.scan_parquet(merged, glob=False).filter(in_range).select(SURVEY_COLUMNS)
        there = pl.scan_parquet(test, glob=False).select(SURVEY_COLUMNS)
        missing = expected.join(there, on=SURVEY_COLUMNS, how="anti")
        return int(missing.select(pl.len()).collect().item())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(
            f"{merged} cannot be compared with {test}; materialize merged_dataset first: {error}"
        ) from error
