from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl
import pytest

from abalone_assets.errors import StorageError
from abalone_assets.etl.missing_rows import missing_test_rows
from abalone_assets.etl.preparation import merge, split
from abalone_assets_tests.etl.support import frame_of
from abalone_assets_tests.platform import survey_rows

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


def test_a_whole_test_split_misses_nothing(files: tuple[Path, Path]) -> None:
    merged, test = map(str, files)
    assert len(pl.read_parquet(test)) > 5
    assert missing_test_rows(merged, test) == 0


def test_rows_that_were_taken_away_are_missing(files: tuple[Path, Path]) -> None:
    merged, test = files
    rows = pl.read_parquet(test)
    rows[3:].write_parquet(test)
    assert missing_test_rows(str(merged), str(test)) == 3
    rows[:0].write_parquet(test)
    assert missing_test_rows(str(merged), str(test)) == len(rows)


def test_a_missing_table_is_one_clear_error(files: tuple[Path, Path]) -> None:
    files[0].unlink()
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        missing_test_rows(str(files[0]), str(files[1]))
