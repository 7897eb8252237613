"""A table whose object has grown behind rows that stay is brought up to date by what was added."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.errors import StorageError
from abalone_assets.etl import extended_file, parquet_output
from abalone_assets.etl.extended_file import ExtendedFile
from abalone_assets.etl.parquet_output import ParquetFile
from abalone_assets.lake import catalog_tables
from abalone_assets.lake.catalog_file import CatalogFile
from abalone_assets.lake.kept_rows import KeptRows
from abalone_assets.lake.lake import Lake

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = pl.Schema({"number": pl.Int64(), "name": pl.String()})
ASSET = "merged_dataset"


@pytest.fixture(autouse=True)
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_output, "ROW_GROUP_ROWS", 5)
    monkeypatch.setattr(extended_file, "ROW_GROUP_ROWS", 5)


class Table:
    """An asset of one object, and its table."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.catalog = CatalogFile(folder / "catalog.duckdb", self.lake)
        self.path = folder / "lake" / ASSET / "data.parquet"
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, kept: range | None, added: range) -> None:
        """Write the object anew, or only what is behind the kept rows."""
        staged = self.path.with_name("staged")
        if kept is not None:
            file = ParquetFile(staged, SCHEMA)
            file.add(rows_of(kept))
            file.close({"of": f"{kept}"})
            staged.replace(self.path)
        found = KeptRows.of(self.path)
        assert found is not None
        extended = ExtendedFile(staged, SCHEMA, found)
        extended.add(rows_of(added))
        extended.close()
        staged.replace(self.path)

    def refresh(self) -> None:
        self.catalog.refresh()

    def numbers(self) -> list[int]:
        with duckdb.connect(str(self.catalog.file), read_only=True) as connection:
            found = connection.execute(f"select number, name from {ASSET}").fetchall()
        assert all(name == f"row {number}" for number, name in found)
        return [number for number, _ in found]

    def change(self, statement: str) -> None:
        with duckdb.connect(str(self.catalog.file)) as connection:
            connection.execute(statement)


def rows_of(numbers: range) -> pl.DataFrame:
    names = [f"row {number}" for number in numbers]
    return pl.DataFrame({"number": list(numbers), "name": names}, schema=SCHEMA)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Table(tmp_path)
    table.write(range(12), range(100, 103))
    table.refresh()
    return table


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Which objects are read as a whole."""
    read, seen = catalog_tables._read, list[list[str]]()

    def counted(lake: Lake, keys: list[str]) -> Any:
        seen.append(keys)
        return read(lake, keys)

    monkeypatch.setattr(catalog_tables, "_read", counted)
    return seen


def test_only_what_was_added_is_read(table: Table, reads: list[list[str]]) -> None:
    for added in (range(100, 104), range(100, 100), range(200, 230), range(300, 301)):
        table.write(None, added)
        table.refresh()
        assert table.numbers() == [*range(12), *added]
        assert table.catalog.outdated() is None
    assert not reads


def test_other_kept_rows_are_read_as_a_whole(table: Table, reads: list[list[str]]) -> None:
    table.write(range(1, 13), range(100, 103))
    table.refresh()
    assert table.numbers() == [*range(1, 13), *range(100, 103)]
    assert len(reads) == 1
    table.write(None, range(500, 504))
    table.refresh()
    assert table.numbers() == [*range(1, 13), *range(500, 504)]
    assert len(reads) == 1


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 12), st.integers(0, 12), st.booleans()),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_is_written_the_table_has_its_rows_in_order(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int | None, int, bool]]
) -> None:
    table = Table(tmp_path_factory.mktemp("any"))
    kept, start = range(3), 100
    table.write(kept, range(50, 52))
    for older, count, refreshed in writes:
        kept = range(start, start + older) if older is not None else kept
        added = range(start + 50, start + 50 + count)
        table.write(kept if older is not None else None, added)
        start += 100
        if refreshed:
            table.refresh()
            assert table.numbers() == [*kept, *added]
    table.refresh()
    assert table.numbers() == pl.read_parquet(table.path)["number"].to_list()


def test_a_file_that_keeps_nothing_is_read_as_a_whole(table: Table, reads: list[list[str]]) -> None:
    for number in range(2):
        rows_of(range(number, 4)).write_parquet(table.path)
        table.refresh()
        assert table.numbers() == list(range(number, 4))
    assert len(reads) == 2


@pytest.mark.parametrize(
    "statement",
    [
        f"delete from abalone_lake.{ASSET} where number = 3",
        f"drop table abalone_lake.{ASSET} cascade",
        f"alter table abalone_lake.{ASSET} drop column name",
    ],
)
def test_a_table_that_somebody_changed_is_made_anew(table: Table, statement: str) -> None:
    table.change(statement)
    table.write(None, range(100, 104))
    table.refresh()
    assert table.numbers() == [*range(12), *range(100, 104)]


def test_a_table_that_was_gone_and_is_back_is_made_anew(
    table: Table, reads: list[list[str]]
) -> None:
    data = table.path.read_bytes()
    table.path.unlink()
    table.refresh()
    table.path.write_bytes(data)
    table.refresh()
    assert table.numbers() == [*range(12), *range(100, 103)]
    assert len(reads) == 1


def test_rows_that_are_written_again_while_they_are_read_are_not_taken_for_those_of_before(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = KeptRows.added

    def overtaken(kept: KeptRows) -> pl.DataFrame:
        rows = added(kept)
        monkeypatch.undo()
        table.write(range(20, 25), range(0))
        return rows

    table.write(None, range(100, 110))
    monkeypatch.setattr(KeptRows, "added", overtaken)
    table.refresh()
    assert table.numbers() == list(range(20, 25))


def test_a_damaged_object_is_told_and_the_table_stays(table: Table) -> None:
    table.write(None, range(100, 110))
    data = bytearray(table.path.read_bytes())
    start = KeptRows.of(table.path).size  # type: ignore[union-attr]
    data[start : start + 60] = b"\xff" * 60
    table.path.write_bytes(data)
    with pytest.raises(StorageError, match=r"merged_dataset/data\.parquet: cannot read this"):
        table.refresh()
    assert table.numbers() == [*range(12), *range(100, 103)]


def test_who_only_names_the_catalog_loads_no_data_frames() -> None:
    code = (
        "import sys, abalone_assets.lake.catalog_file; "
        "print({'numpy', 'polars', 'pyarrow', 'duckdb'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_catalog_of_before_knows_of_no_kept_rows(table: Table, reads: list[list[str]]) -> None:
    table.change("drop table abalone_lake._kept_rows")
    table.write(None, range(100, 104))
    table.refresh()
    assert table.numbers() == [*range(12), *range(100, 104)]
    assert len(reads) == 1
