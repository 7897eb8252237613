from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl
import pytest

from abalone_assets.errors import StorageError
from abalone_assets.etl.preparation import merge, split
from abalone_assets.etl.split_audit import SplitAudit, audit_test_split
from abalone_assets_tests.etl.support import frame_of
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """All rows, and the test split, where it belongs."""
    merged = merge([nw.from_native(frame_of(survey_rows(300)).lazy())])
    paths = tmp_path / "merged.parquet", tmp_path / "test.parquet"
    merged.to_native().collect().write_parquet(paths[0])
    split(merged, "test_split").to_native().collect().write_parquet(paths[1])
    return paths


def audit(files: tuple[Path, Path], test: pl.DataFrame) -> SplitAudit:
    """What is found when the test split holds these rows instead."""
    test.write_parquet(files[1])
    return audit_test_split(*map(str, files))


def test_a_whole_test_split_misses_nothing_in_whatever_order(files: tuple[Path, Path]) -> None:
    rows = pl.read_parquet(files[1])
    assert len(rows) > 5
    assert audit(files, rows[::-1]) == SplitAudit(missing=0, foreign=0)


def test_rows_that_were_taken_away_are_missing(files: tuple[Path, Path]) -> None:
    rows = pl.read_parquet(files[1])
    assert audit(files, rows[3:]) == SplitAudit(missing=3, foreign=0)
    assert audit(files, rows[:0]) == SplitAudit(missing=len(rows), foreign=0)


def test_rows_that_were_repeated_are_foreign(files: tuple[Path, Path]) -> None:
    rows = pl.read_parquet(files[1])
    repeated = pl.concat([rows, *[rows[:2]] * 3])
    assert audit(files, repeated) == SplitAudit(missing=0, foreign=6)


def test_rows_of_another_origin_are_missing_as_they_were_and_foreign_as_they_are(
    files: tuple[Path, Path],
) -> None:
    rows = pl.read_parquet(files[1])
    hidden = pl.when(pl.int_range(pl.len()) < 4).then(pl.lit("synthetic")).otherwise("origin")
    assert audit(files, rows.with_columns(origin=hidden)) == SplitAudit(missing=4, foreign=4)


def test_rows_that_all_data_does_not_have_are_foreign(files: tuple[Path, Path]) -> None:
    rows = pl.read_parquet(files[1])
    invented = rows[:5].with_columns(pl.col("rings") + 1)
    assert audit(files, pl.concat([rows, invented])) == SplitAudit(missing=0, foreign=5)


def test_a_missing_table_is_one_clear_error(files: tuple[Path, Path]) -> None:
    files[0].unlink()
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        audit_test_split(*map(str, files))
