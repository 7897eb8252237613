"""The catalog has a view for each asset of the lake."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets_tests.lake.catalog_support import ask, catalog_of, put

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.resources.catalog import DuckDBCatalog


def test_there_is_a_view_for_each_asset_with_data(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "merged_dataset", 1, 2)
    put(lake, "train_split", 1)
    lake.store.write("manifest.json", b"{}")
    lake.store.write("raw_abalone/_quarantined_rows.parquet", b"another object of the asset")
    lake.store.write("trained_model/train-1/output/model.tar.gz", b"")
    assert catalog.refresh() == ["merged_dataset", "train_split"]
    assert ask(file, "select number from merged_dataset order by 1") == [(1,), (2,)]
    assert ask(file, "select view_name from duckdb_views() where not internal order by 1") == [
        ("merged_dataset",),
        ("train_split",),
    ]


def test_a_partitioned_asset_is_one_view_with_a_column_for_the_day(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "new_surveys", 1, 2, day="2025-03-03")
    put(lake, "new_surveys", day="2025-03-04")
    put(lake, "new_surveys", 3, day="2025-03-05")
    assert catalog.refresh() == ["new_surveys"]
    query = "select number, survey_day::varchar from new_surveys order by 1"
    assert ask(file, query) == [(1, "2025-03-03"), (2, "2025-03-03"), (3, "2025-03-05")]
    days = "select count(*) from new_surveys where survey_day = date '2025-03-03'"
    assert ask(file, days) == [(2,)]


def test_a_day_that_lacks_a_newer_column_has_nulls_in_it(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    newer = pl.DataFrame({"number": [1], "origin": ["surveyed"]})
    for day in ("2025-03-03", "2025-03-05"):
        lake.store.write(lake.key("new_surveys", day), to_parquet(newer))
    put(lake, "new_surveys", 2, day="2025-03-04")
    catalog.refresh()
    query = "select number, origin from new_surveys order by survey_day"
    assert ask(file, query) == [(1, "surveyed"), (2, None), (1, "surveyed")]


def test_an_empty_lake_has_a_catalog_without_views(catalog: DuckDBCatalog, file: Path) -> None:
    assert catalog.refresh() == []
    assert ask(file, "select count(*) from duckdb_views() where not internal") == [(0,)]


def test_a_view_is_of_the_last_refresh_and_the_next_reads_what_changed(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "merged_dataset", 1)
    for day in ("2025-03-03", "2025-03-04", "2025-03-05"):
        put(lake, "new_surveys", 1, day=day)
    catalog.refresh()
    put(lake, "merged_dataset", 7, 8, 9)
    put(lake, "new_surveys", 2, 3, day="2025-03-04")
    lake.store.delete(lake.key("new_surveys", "2025-03-05"))
    put(lake, "new_surveys", 4, day="2025-03-06")
    days = "select survey_day::varchar, list(number order by number) from new_surveys group by 1"
    assert len(ask(file, days)) == 3
    catalog.refresh()
    assert ask(file, "select number from merged_dataset order by 1") == [(7,), (8,), (9,)]
    expected = [("2025-03-03", [1]), ("2025-03-04", [2, 3]), ("2025-03-06", [4])]
    assert ask(file, f"{days} order by 1") == expected


def test_a_day_with_a_new_column_gives_it_to_the_table(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "new_surveys", 1, day="2025-03-03")
    catalog.refresh()
    newer = pl.DataFrame({"number": [2], "origin": ["surveyed"]})
    lake.store.write(lake.key("new_surveys", "2025-03-04"), to_parquet(newer))
    catalog.refresh()
    query = "select * from new_surveys order by survey_day"
    days = [date(2025, 3, 3), date(2025, 3, 4)]
    assert ask(file, query) == [(1, None, days[0]), (2, "surveyed", days[1])]


def test_what_is_no_survey_day_is_no_part_of_a_table(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "new_surveys", 1, day="2025-03-03")
    for folder in ("survey_day=old", "survey_day=2025-02-30", "copies", "survey_day=2025-03-03/a"):
        lake.store.write(f"new_surveys/{folder}/data.parquet", b"not looked at")
    assert catalog.refresh() == ["new_surveys"]
    assert ask(file, "select number, survey_day from new_surveys") == [(1, date(2025, 3, 3))]


def test_an_asset_that_is_gone_loses_its_view(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "merged_dataset", 1)
    put(lake, "train_split", 1)
    catalog.refresh()
    lake.store.delete(lake.key("train_split"))
    assert catalog.refresh() == ["merged_dataset"]
    with pytest.raises(duckdb.CatalogException, match="train_split"):
        ask(file, "select * from train_split")


@pytest.mark.parametrize(
    "folder",
    [
        *("the crew's lake", 'with "quotes"', "a [b] c", "[x]*?", "ü"),
        *("a%2Fb", "#1"),
        *("sex=M", "number=7", "survey_day=2020-01-01", "survey_day=2020-01-01/lake"),
    ],
)
def test_the_lake_may_lie_in_a_folder_of_any_name(tmp_path: Path, folder: str) -> None:
    # A folder such as sex=M once took the place of the column of that name in every view.
    lake = Lake(str(tmp_path / folder))
    put(lake, "merged_dataset", 1, 2)
    put(lake, "new_surveys", 3, day="2025-03-03")
    file = tmp_path / folder / "catalog.duckdb"
    catalog_of(lake.store.uri, file).refresh()
    assert ask(file, "select sum(number) from merged_dataset") == [(3,)]
    assert ask(file, "from new_surveys") == [(3, date(2025, 3, 3))]
    columns = "select column_name from duckdb_columns() where schema_name = 'main' and "
    columns += "not internal order by all"
    assert ask(file, columns) == [("number",), ("number",), ("survey_day",)]


def test_a_copy_of_the_home_answers_with_its_own_rows(
    tmp_path: Path, lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "new_surveys", 1, day="2025-03-03")
    catalog.refresh()
    copy = tmp_path / "copy"
    shutil.copytree(lake.store.uri, copy / "lake")
    shutil.copytree(file.parent, copy / "catalog")
    put(lake, "new_surveys", 7, day="2025-03-03")
    catalog.refresh()
    shutil.rmtree(lake.store.uri)
    moved = copy / "catalog" / file.name
    assert ask(moved, "select number from new_surveys") == [(1,)]
    catalog_of(str(copy / "lake"), moved).refresh()
    assert ask(moved, "select number from new_surveys") == [(1,)]


def test_the_file_is_of_the_format_that_every_duckdb_since_1_0_reads(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "merged_dataset", 1)
    for _ in range(2):
        catalog.refresh()
        assert int.from_bytes(file.read_bytes()[12:20], "little") == 64  # behind checksum and DUCK
        put(lake, "merged_dataset", 2)


def test_days_that_do_not_fit_together_are_one_clear_error(
    lake: Lake, catalog: DuckDBCatalog
) -> None:
    put(lake, "new_surveys", 1, day="2025-03-03")
    other = to_parquet(pl.DataFrame({"number": [[1]]}))
    lake.store.write(lake.key("new_surveys", "2025-03-04"), other)
    with pytest.raises(StorageError, match=r"new_surveys: its objects do not fit together"):
        catalog.refresh()


def test_a_lake_on_s3_has_its_catalog_there(s3: str, file: Path) -> None:
    lake = Lake(s3)
    put(lake, "merged_dataset", 1)
    assert catalog_of(s3, file).refresh() == []
    assert not file.exists()
