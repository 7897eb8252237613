"""What a copy of a home does about Dagster's databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from abalone_assets.backup.home import _copy_database
from abalone_assets.backup.stable_copy import Copy

if TYPE_CHECKING:
    from pathlib import Path


def test_the_database_of_a_run_that_is_removed_meanwhile_is_left_out(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "copy")
    _copy_database(copy, "dagster/history/runs/gone.db", tmp_path / "gone.db")
    assert copy.digests == {}
    assert [path for path in (tmp_path / "copy").rglob("*") if path.is_file()] == []


def test_one_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs.db").mkdir()
    with pytest.raises(sqlite3.OperationalError):
        _copy_database(Copy(tmp_path / "copy"), "dagster/history/runs.db", tmp_path / "runs.db")


def test_one_that_is_written_is_whole(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database, database:
        database.execute("create table runs as select 1 as id")
    copy = Copy(tmp_path / "copy")
    _copy_database(copy, "dagster/runs.db", tmp_path / "runs.db")
    with closing(sqlite3.connect(tmp_path / "copy/dagster/runs.db")) as copied:
        assert copied.execute("select id from runs").fetchall() == [(1,)]
