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
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """All rows, and the test split, where it belongs."""
    merged = merge(nw.from_native(frame_of(survey_rows(300)).lazy().with_columns(newest=0)))
    paths = tmp_path / "merged.parquet", tmp_path / "test.parquet"
    merged.to_native().collect().write_parquet(paths[0])
    split(merged, "test_split").to_native().collect().write_parquet(paths[1])
    return paths


HIDDEN = pl.when(pl.int_range(pl.len()) < 4).then(pl.lit("synthetic")).otherwise("origin")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param(lambda rows: rows[::-1], SplitAudit(0, 0), id="another order"),
        pytest.param(lambda rows: rows[3:], SplitAudit(3, 0), id="three taken away"),
        pytest.param(
            lambda rows: pl.concat([rows, *[rows[:2]] * 3]), SplitAudit(0, 6), id="repeats"
        ),
        pytest.param(
            lambda rows: rows.with_columns(origin=HIDDEN), SplitAudit(4, 4), id="another origin"
        ),
        pytest.param(
            lambda rows: pl.concat([rows, rows[:5].with_columns(pl.col("rings") + 1)]),
            SplitAudit(0, 5),
            id="invented",
        ),
    ],
)
def test_what_differs_from_the_rows_of_all_data_is_missing_or_foreign(
    files: tuple[Path, Path], change: Callable[[pl.DataFrame], pl.DataFrame], found: SplitAudit
) -> None:
    rows = pl.read_parquet(files[1])
    assert len(rows) > 5
    change(rows).write_parquet(files[1])
    assert audit_test_split(*map(str, files)) == found


def test_a_missing_table_is_one_clear_error(files: tuple[Path, Path]) -> None:
    files[0].unlink()
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        audit_test_split(*map(str, files))
