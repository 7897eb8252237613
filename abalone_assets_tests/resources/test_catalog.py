from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.resources.catalog import DuckDBCatalog
from abalone_assets.resources.storage import LakeResource


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog" / "catalog.duckdb"


@pytest.fixture
def catalog(lake: Lake, file: Path) -> DuckDBCatalog:
    return DuckDBCatalog(lake=LakeResource(uri=lake.store.uri), file=str(file))


def put(lake: Lake, asset: str, *numbers: int, day: str | None = None) -> None:
    frame = pl.DataFrame({"number": numbers}, schema={"number": pl.Int64()})
    lake.store.write(lake.key(asset, day), to_parquet(frame))


def ask(file: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
        return rows


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


def test_a_view_shows_data_written_after_the_refresh(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "merged_dataset", 1)
    put(lake, "new_surveys", 1, day="2025-03-03")
    catalog.refresh()
    put(lake, "merged_dataset", 7, 8, 9)
    put(lake, "new_surveys", 2, day="2025-03-04")
    assert ask(file, "select count(*) from merged_dataset") == [(3,)]
    assert ask(file, "select count(*) from new_surveys") == [(2,)]


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


@pytest.mark.parametrize("folder", ["the crew's lake", 'with "quotes"', "a [b] c", "ü"])
def test_the_lake_may_lie_in_a_folder_of_any_name(tmp_path: Path, folder: str) -> None:
    lake = Lake(str(tmp_path / folder))
    put(lake, "merged_dataset", 1, 2)
    put(lake, "new_surveys", 3, day="2025-03-03")
    file = tmp_path / folder / "catalog.duckdb"
    DuckDBCatalog(lake=LakeResource(uri=lake.store.uri), file=str(file)).refresh()
    assert ask(file, "select sum(number) from merged_dataset") == [(3,)]
    assert ask(file, "select sum(number) from new_surveys") == [(3,)]


def test_a_reader_who_has_the_file_open_neither_blocks_a_refresh_nor_is_disturbed(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "merged_dataset", 1)
    catalog.refresh()
    with duckdb.connect(str(file)) as reader:  # for writing even: DuckDB locks the file
        put(lake, "train_split", 1)
        assert catalog.refresh() == ["merged_dataset", "train_split"]
        assert reader.execute("select count(*) from merged_dataset").fetchone() == (1,)
    assert _in_another_process(file, "select count(*) from train_split") == "[(1,)]"


def _in_another_process(file: Path, query: str) -> str:
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); "
    program += "print(c.execute(sys.argv[2]).fetchall())"
    arguments = [sys.executable, "-c", program, str(file), query]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()


REFRESHER = """
import sys
from abalone_assets.resources.catalog import DuckDBCatalog
from abalone_assets.resources.storage import LakeResource
catalog = DuckDBCatalog(lake=LakeResource(uri=sys.argv[1]), file=sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(10):
    assert catalog.refresh() == ["merged_dataset"]
"""


@pytest.mark.service
def test_two_processes_may_refresh_at_once(lake: Lake, catalog: DuckDBCatalog, file: Path) -> None:
    put(lake, "merged_dataset", 1)
    catalog.refresh()
    arguments = [sys.executable, "-c", REFRESHER, lake.store.uri, str(file)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        other.stdin.write(b"\n")
        other.stdin.flush()
        while other.poll() is None:
            assert catalog.refresh() == ["merged_dataset"]
            assert ask(file, "select * from merged_dataset") == [(1,)]
    assert other.returncode == 0
    assert ask(file, "select * from merged_dataset") == [(1,)]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


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


def test_a_lake_on_s3_has_its_catalog_there(s3: str, file: Path) -> None:
    lake = Lake(s3)
    put(lake, "merged_dataset", 1)
    assert DuckDBCatalog(lake=LakeResource(uri=s3), file=str(file)).refresh() == []
    assert not file.exists()
