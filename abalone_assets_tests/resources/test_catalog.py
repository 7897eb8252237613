from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.resources.catalog import DuckDBCatalog
from abalone_assets.resources.models import LocalModelRegistry
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog" / "catalog.duckdb"


@pytest.fixture
def catalog(lake: Lake, file: Path) -> DuckDBCatalog:
    return catalog_of(lake.store.uri, file)


def catalog_of(uri: str, file: Path) -> DuckDBCatalog:
    """The catalog of a lake, with a registry in the same folder that has no version."""
    registry = LocalModelRegistry(uri=str(file.parent / "registry"))
    return DuckDBCatalog(lake=LakeResource(uri=uri), registry=registry, file=str(file))


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
from abalone_assets.resources.models import LocalModelRegistry
from abalone_assets.resources.storage import LakeResource
registry = LocalModelRegistry(uri=sys.argv[2] + ".registry")
lake = LakeResource(uri=sys.argv[1])
catalog = DuckDBCatalog(lake=lake, registry=registry, file=sys.argv[2])
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


ANALYST = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("create table notes as select 'too old' as note")
connection.execute("create view many as select * from merged_dataset where number > 1")
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
connection.execute("insert into notes values ('too young')")
"""


@contextmanager
def analyst(file: Path, ends: str) -> Iterator[None]:
    """Another program that writes to the catalog, and ends when the context does."""
    arguments = [sys.executable, "-c", ANALYST, str(file), ends]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        yield
        other.communicate(b"\n")


@pytest.mark.service
@pytest.mark.parametrize("ends", ["normally", "killed"])
def test_who_writes_to_the_catalog_keeps_what_he_wrote(
    lake: Lake,
    catalog: DuckDBCatalog,
    file: Path,
    ends: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # The file was once replaced under him: his tables were gone, and the write-ahead log that he
    # left behind made every later open fail.
    put(lake, "merged_dataset", 1, 2)
    catalog.refresh()
    notes = [("too old",), ("too young",)] if ends == "normally" else [("too old",)]
    with analyst(file, ends):
        put(lake, "train_split", 1)
        assert catalog.refresh() == ["merged_dataset", "train_split"]
        assert "another program has it open for writing" in caplog.text
    assert ask(file, "from notes") == notes
    catalog.refresh()
    assert ask(file, "from notes") == notes
    assert ask(file, "from many") == [(2,)]
    assert ask(file, "select count(*) from train_split") == [(1,)]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_connection_of_this_process_sees_the_refresh_and_keeps_what_it_writes(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    put(lake, "merged_dataset", 1)
    catalog.refresh()
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table notes (note varchar)")
        put(lake, "merged_dataset", 1, 2)
        catalog.refresh()
        connection.execute("insert into notes values ('kept')")
    assert ask(file, "select count(*) from merged_dataset") == [(2,)]
    assert ask(file, "from notes") == [("kept",)]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


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


READER = """
import duckdb, sys, time
deadline, asked = time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < deadline:
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        query = "select min(number), max(number), count(*) from new_surveys"
        low, high, count = connection.execute(query).fetchone()
    assert low == high and count == 3000, (low, high, count)
    asked += 1
assert asked
"""


@pytest.mark.service
def test_a_reader_sees_the_old_or_the_new_rows_while_days_are_rewritten(
    lake: Lake, catalog: DuckDBCatalog, file: Path
) -> None:
    def write(number: int) -> None:
        for day in ("2025-03-03", "2025-03-04", "2025-03-05"):
            put(lake, "new_surveys", *[number] * 1000, day=day)
        catalog.refresh()

    write(0)
    with subprocess.Popen([sys.executable, "-c", READER, str(file), "2"]) as reader:
        number = 0
        while reader.poll() is None:
            number += 1
            write(number)
    assert reader.returncode == 0
    assert number > 1


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
