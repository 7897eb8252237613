"""What a copy of a home does about Dagster's databases."""

from __future__ import annotations

import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from abalone_assets.backup.home import _copy_database, backups
from abalone_assets.backup.stable_copy import Copy
from abalone_assets_tests.cli.support import abalone


def test_the_database_of_a_run_that_is_removed_meanwhile_is_left_out(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "copy")
    _copy_database(copy, "dagster/history/runs/gone.db", tmp_path / "gone.db")
    assert copy.digests == {}
    assert [path for path in (tmp_path / "copy").rglob("*") if path.is_file()] == []


def test_one_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "copy")
    (tmp_path / "torn.db").write_bytes(b"no database" * 1000)
    (tmp_path / "rotten.db").symlink_to("/proc/self/mem")  # a file that gives EIO
    for name in ("torn.db", "rotten.db"):
        _copy_database(copy, f"dagster/{name}", tmp_path / name)
    assert copy.missing == {
        "dagster/torn.db": "file is not a database",
        "dagster/rotten.db": "Input/output error",
    }
    assert copy.digests == {}
    assert list((tmp_path / "copy/dagster").iterdir()) == []


def test_one_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database, database:
        database.execute("create table runs as select 1 as id")
    in_the_way = tmp_path / "copy/dagster/.runs.db.copied"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.symlink_to("/dev/full")
    with pytest.raises(sqlite3.OperationalError):
        _copy_database(Copy(tmp_path / "copy"), "dagster/runs.db", tmp_path / "runs.db")


def test_one_that_is_written_is_whole(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database, database:
        database.execute("create table runs as select 1 as id")
    copy = Copy(tmp_path / "copy")
    _copy_database(copy, "dagster/runs.db", tmp_path / "runs.db")
    with closing(sqlite3.connect(tmp_path / "copy/dagster/runs.db")) as copied:
        assert copied.execute("select id from runs").fetchall() == [(1,)]


def test_the_commands_that_look_at_a_copy_and_restore_it_can_be_pasted(
    home: Path, tmp_path: Path
) -> None:
    copies = tmp_path / "Ana's copies"
    said = abalone("backup", copies).stdout.splitlines()
    [copy] = backups(copies)
    look, restore = (shlex.split(line.partition(":")[2]) for line in said[1:3])
    assert look == ["abalone", "backup", "--check", str(copy)]
    assert restore[:3] == ["cp", "-a", f"{copy}/."]
