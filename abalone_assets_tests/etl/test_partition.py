"""Splits that lack, repeat or invent a row are told, though what stays is read only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from abalone_assets.errors import StorageError
from abalone_assets.etl import extended_file, parquet_output, partition
from abalone_assets.etl.extended_file import ExtendedFile
from abalone_assets.etl.parquet_output import ParquetFile
from abalone_assets.etl.partition import looked_at, partition_of, record_look
from abalone_assets.lake.kept_rows import KeptRows
from abalone_assets.lake.lake import Lake as StoredLake
from abalone_assets_tests.etl.support import SPLITS
from abalone_assets_tests.etl.test_newest_surveys import DAY, NEXT_DAY, OLD_DAY, Lake, rows_from
from abalone_assets_tests.etl.test_preparation import frame

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from abalone_assets.etl.partition import Partition

OLD_ROWS, NEW_ROWS = 200, 40


@pytest.fixture(autouse=True)
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (parquet_output, extended_file, partition):
        monkeypatch.setattr(module, "ROW_GROUP_ROWS", 16)


@pytest.fixture
def prepared(tmp_path: Path) -> Lake:
    """Rows that are kept, and those of a day behind them."""
    lake = Lake(tmp_path, {OLD_DAY: frame(rows_from(0, OLD_ROWS), OLD_DAY)})
    lake.prepare({DAY: frame(rows_from(1000, NEW_ROWS), DAY)})
    return lake


def look(lake: Lake) -> Partition:
    """What the check finds, and remembers."""
    stored = StoredLake(str(lake.folder))
    found = partition_of(stored, looked_at(stored))
    record_look(stored, found)
    return found


def path_of(lake: Lake, name: str) -> Path:
    return lake.folder / name / "data.parquet"


def kept_in(path: Path) -> KeptRows:
    found = KeptRows.of(path)
    assert found is not None
    return found


def write_added(path: Path, rows: pl.DataFrame) -> None:
    """Let these rows be what was added to a file."""
    schema = pl.read_parquet_schema(path)
    file = ExtendedFile(path.with_name("new"), pl.Schema(schema), kept_in(path))
    file.add(rows)
    file.close()
    path.with_name("new").replace(path)


def test_all_is_read_once_and_then_what_was_added(prepared: Lake) -> None:
    first = look(prepared)
    assert first.holds
    assert first.distinct == first.merged == first.read == OLD_ROWS + NEW_ROWS
    again = look(prepared)
    assert again.holds
    assert again.read == NEW_ROWS
    days = {
        DAY: frame(rows_from(1000, NEW_ROWS), DAY),
        NEXT_DAY: frame(rows_from(2000, 30), NEXT_DAY),
    }
    prepared.prepare(days)
    more = look(prepared)
    assert (more.merged, more.distinct, more.read) == (270, 270, NEW_ROWS + 30)
    assert more.holds
    prepared.prepare({DAY: frame(rows_from(3000, 20), DAY)}, older="others")  # all anew
    assert look(prepared).read == OLD_ROWS + 20
    assert look(prepared).read == 20


def test_a_look_that_is_to_be_whole_reads_all_and_remembers_nothing(prepared: Lake) -> None:
    look(prepared)
    assert partition_of(StoredLake(str(prepared.folder))).read == OLD_ROWS + NEW_ROWS


def test_where_nothing_is_kept_all_is_read_each_time(tmp_path: Path) -> None:
    lake = Lake(tmp_path, {OLD_DAY: frame(rows_from(0, 30), OLD_DAY)})
    lake.prepare({DAY: frame(rows_from(1000, 10), DAY)}, older="")
    assert [look(lake).read for _ in range(2)] == [40, 40]
    assert not looked_at(StoredLake(str(lake.folder)))


@pytest.mark.parametrize("name", ["merged_dataset", *SPLITS])
def test_a_row_that_is_missing_among_the_added_is_told(prepared: Lake, name: str) -> None:
    look(prepared)
    path = path_of(prepared, name)
    rows = pl.read_parquet(path).slice(kept_in(path).rows)
    write_added(path, rows.tail(-1))
    assert not look(prepared).holds


@pytest.mark.parametrize("from_kept", [True, False])
def test_a_row_that_is_added_though_it_is_there_is_told(prepared: Lake, *, from_kept: bool) -> None:
    """Instead of another, so that the counts agree."""
    look(prepared)
    path = path_of(prepared, "train_split")
    rows = pl.read_parquet(path)
    kept = kept_in(path).rows
    repeated = rows.slice(kept // 2 if from_kept else kept, 1)
    write_added(path, pl.concat([rows.slice(kept).head(-1), repeated]))
    found = look(prepared)
    assert (found.merged, found.distinct) == (OLD_ROWS + NEW_ROWS, OLD_ROWS + NEW_ROWS - 1)
    assert not found.holds
    assert not found.kept


def test_a_kept_row_that_was_not_merged_is_told_at_the_first_look(prepared: Lake) -> None:
    path = path_of(prepared, "train_split")
    kept, rows = kept_in(path), pl.read_parquet(path)
    is_third = pl.int_range(pl.len()) == 2
    other = rows.with_columns(rings=pl.when(is_third).then(99).otherwise("rings"))
    file = ParquetFile(path, other.schema)
    file.add(other.head(kept.rows))
    file.close({key: value for key, value in kept.note.items() if key != "row_groups"})
    write_added(path, rows.slice(kept.rows))
    for _ in range(2):  # it is not remembered either
        found = look(prepared)
        assert found.distinct == sum(found.splits.values()) - 1
        assert not found.holds


def test_kept_rows_that_are_others_than_those_looked_at_are_read_again(prepared: Lake) -> None:
    look(prepared)
    path = path_of(prepared, "train_split")
    kept, rows = kept_in(path), pl.read_parquet(path)
    file = ParquetFile(path, rows.schema)
    file.add(rows.head(kept.rows - 1))
    file.close({key: value for key, value in kept.note.items() if key != "row_groups"})
    invented = rows.head(1).with_columns(
        rings=pl.lit(99, dtype=pl.Int64)
    )  # so that the counts agree
    write_added(path, pl.concat([rows.slice(kept.rows), invented]))
    found = look(prepared)
    assert found.read == OLD_ROWS + NEW_ROWS
    assert not found.holds


def test_keys_that_were_written_again_are_believed_after_another_look(prepared: Lake) -> None:
    look(prepared)
    (keys,) = (prepared.folder / "merged_dataset").glob("_keys*")
    data = keys.read_bytes()
    keys.unlink()
    keys.write_bytes(data)
    assert look(prepared).read == OLD_ROWS + NEW_ROWS
    np.save(keys, np.load(keys) ^ np.uint32(1))
    found = look(prepared)
    assert found.holds  # which a comparison of all values says
    assert not found.kept


def test_different_rows_of_the_same_keys_are_no_repeats(
    prepared: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same_keys(rows: pl.DataFrame) -> NDArray[np.uint32]:
        return np.zeros((2, len(rows)), dtype=np.uint32)

    monkeypatch.setattr(partition, "keys_of", same_keys)
    found = look(prepared)
    assert found.distinct == OLD_ROWS + NEW_ROWS
    assert found.holds


@pytest.mark.parametrize("name", ["merged_dataset", "test_split"])
def test_an_output_that_is_missing_or_damaged_is_one_clear_error(prepared: Lake, name: str) -> None:
    path_of(prepared, name).write_bytes(b"PAR1 no Parquet PAR1")
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        look(prepared)
    path_of(prepared, name).unlink()
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        look(prepared)


def test_on_s3_all_is_read(s3: str) -> None:
    from abalone_assets.etl.polars_engine import prepare
    from abalone_assets_tests.etl.support import request_for

    prepare(request_for({"old": frame(rows_from(0), OLD_DAY)}, s3))
    found = partition_of(StoredLake(s3))
    assert found.holds
    assert found.read == found.merged
