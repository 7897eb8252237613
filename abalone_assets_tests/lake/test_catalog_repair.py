"""A catalog that is old, damaged or left half-written is mended; what others put in it stays."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from abalone_assets.errors import StorageError
from abalone_assets_tests.lake.catalog_support import ask, put

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.lake.lake import Lake
    from abalone_assets.resources.catalog import DuckDBCatalog


def older(lake: Lake, file: Path, *statements: str) -> None:
    """A catalog as releases wrote it whose views named the objects by their paths."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            f"create view merged_dataset as from read_parquet('{lake.uri('merged_dataset')}', "
            "hive_partitioning = true, union_by_name = true)"
        )
        for statement in statements:
            connection.execute(statement)


def test_a_catalog_of_an_older_release_is_written_anew_with_what_others_put_in_it(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "merged_dataset", 1)
    mine = "create table notes as select 'mine' as note", "create view two as select 2 as number"
    older(lake, file, *mine, "create macro plus_one(a) as a + 1")
    lake.store.delete(lake.key("merged_dataset"))  # the view itself would fail
    put(lake, "train_split", 3)
    assert catalog.refresh() == ["train_split"]
    assert ask(file, "select note, number from notes, two") == [("mine", 2)]
    assert ask(file, "select plus_one(number) from train_split") == [(4,)]
    assert ask(file, "select count(*) from duckdb_views() where not internal") == [(2,)]
    assert int.from_bytes(file.read_bytes()[12:20], "little") == 64
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_write_ahead_log_of_another_file_is_put_aside_and_the_rest_mended(
    tmp_path: Path, lake: Lake, catalog: DuckDBCatalog, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(lake, "merged_dataset", 1)
    catalog.refresh()
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table notes as select 'mine' as note")
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as elsewhere:
        elsewhere.execute("create table notes as select 'not mine' as note")
        shutil.copyfile(f"{other}.wal", f"{file}.wal")
    with pytest.raises(duckdb.Error):
        ask(file, "from merged_dataset")
    assert catalog.refresh() == ["merged_dataset"]
    assert ask(file, "select number, note from merged_dataset, notes") == [(1, "mine")]
    assert "belongs to another file; put aside as" in caplog.text
    assert sorted(path.suffix for path in file.parent.glob("catalog.kept-*")) == [".duckdb", ".wal"]


def test_a_damaged_file_is_put_aside_and_written_anew(
    lake: Lake, catalog: DuckDBCatalog, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(lake, "merged_dataset", 1)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database")
    assert catalog.refresh() == ["merged_dataset"]
    assert ask(file, "from merged_dataset") == [(1,)]
    assert "cannot be opened" in caplog.text
    (kept,) = file.parent.glob("catalog.kept-*")
    assert kept.read_bytes() == b"no database"


def test_a_failed_refresh_keeps_the_old_catalog_and_leaves_nothing_beside_it(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "merged_dataset", 1)
    catalog.refresh()
    lake.store.write("train_split/data.parquet", b"not Parquet")
    with pytest.raises(StorageError, match=r"catalog\.duckdb: the views cannot be written"):
        catalog.refresh()
    assert ask(file, "select * from merged_dataset") == [(1,)]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_what_killed_refreshes_left_beside_the_file_goes(
    catalog: DuckDBCatalog, file: Path
) -> None:
    catalog.refresh()
    left = [file.with_name(f".{file.name}.{digit * 32}") for digit in "abc"]
    for path in (left[0], left[1].with_name(f"{left[1].name}.wal"), left[2]):
        path.write_bytes(b"half of a copy")
    kept = file.with_name(f".{file.name}.kept")
    kept.touch()
    before = file.stat().st_size
    catalog.refresh()
    assert [path.name for path in file.parent.glob(f".{file.name}.*")] == [kept.name]
    assert file.stat().st_size == before


def test_a_refresh_that_was_killed_before_its_last_rename_loses_nothing_of_others(
    catalog: DuckDBCatalog, file: Path
) -> None:
    """The log of what others wrote had been moved away, and the copy that has it was not there."""
    catalog.refresh()
    beside = file.with_name(f".{file.name}.{'a' * 32}")
    shutil.copyfile(file, beside)
    with duckdb.connect(str(beside)) as connection:
        connection.execute("create table notes as select 'kept' as note")
    beside.with_name(f"{beside.name}.wal").touch()
    catalog.refresh()
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.sql("select note from notes").fetchall() == [("kept",)]
