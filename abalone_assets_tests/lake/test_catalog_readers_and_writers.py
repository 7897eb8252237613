"""Who reads the catalog or writes to it neither blocks a refresh nor loses anything by it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pytest

from abalone_assets_tests.lake.catalog_support import ask, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.lake.lake import Lake
    from abalone_assets.resources.catalog import DuckDBCatalog


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
