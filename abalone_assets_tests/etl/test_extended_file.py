"""A Parquet file that grows behind rows that stay: any reader takes it for an ordinary one."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from abalone_assets.etl import extended_file, parquet_output
from abalone_assets.etl.extended_file import ExtendedFile
from abalone_assets.lake.kept_rows import KeptRows
from abalone_assets_tests.etl.test_parquet_output import ROWS, written

if TYPE_CHECKING:
    from pathlib import Path

ADDED = pl.DataFrame({"sex": ["F"] * 12, "rings": range(100, 112), "length": [0.25] * 12})
NOTE = {"of": "ä content"}


@pytest.fixture(autouse=True)
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_output, "ROW_GROUP_ROWS", 10)
    monkeypatch.setattr(extended_file, "ROW_GROUP_ROWS", 10)


def kept_in(path: Path) -> KeptRows:
    found = KeptRows.of(path)
    assert found is not None
    return found


def extended(path: Path, kept: KeptRows, *blocks: pl.DataFrame) -> Path:
    file = ExtendedFile(path, ROWS.schema, kept)
    for block in blocks:
        file.add(block)
    file.close()
    return path


@pytest.fixture
def kept(tmp_path: Path) -> KeptRows:
    return kept_in(written(tmp_path / "kept.parquet", ROWS, note=NOTE))


def test_every_reader_finds_all_rows_in_order(tmp_path: Path, kept: KeptRows) -> None:
    path = extended(tmp_path / "a.parquet", kept, ADDED)
    whole = pl.concat([ROWS, ADDED])
    assert pl.read_parquet(path).equals(whole)
    assert pd.read_parquet(path)["rings"].tolist() == whole["rings"].to_list()
    found = duckdb.connect().execute(f"select count(*), sum(rings) from '{path}'").fetchone()
    assert found == (39, whole["rings"].sum())
    assert pl.scan_parquet(path).filter(pl.col("rings") > 105).collect().equals(ADDED.tail(6))


def test_what_was_added_is_replaced_and_the_bytes_do_not_tell(
    tmp_path: Path, kept: KeptRows
) -> None:
    once = extended(tmp_path / "once.parquet", kept, ADDED.head(5), ADDED.tail(7))
    more = extended(tmp_path / "more.parquet", kept_in(once), ROWS)
    again = extended(tmp_path / "again.parquet", kept_in(more), ADDED)
    assert again.read_bytes() == once.read_bytes()
    none = extended(tmp_path / "none.parquet", kept_in(more))
    assert none.read_bytes() == kept.path.read_bytes()
    assert dict(kept_in(once).note) == NOTE
    assert (kept_in(once).rows, kept_in(once).row_groups) == (27, 3)


def test_rows_are_taken_by_their_places(tmp_path: Path, kept: KeptRows) -> None:
    path = extended(tmp_path / "a.parquet", kept, ADDED)
    for places in ([0], [26], [3, 9, 20, 25], [12, 26]):
        taken = kept_in(path).take(np.array(places))
        assert taken["rings"].to_list() == places


def test_no_rows_are_kept_rows_too(tmp_path: Path) -> None:
    empty = kept_in(written(tmp_path / "empty.parquet", note=NOTE))
    path = extended(tmp_path / "a.parquet", empty, ADDED)
    assert pl.read_parquet(path).equals(ADDED)
    assert kept_in(path).rows == 0


def test_a_file_without_a_note_or_none_keeps_nothing(tmp_path: Path) -> None:
    assert KeptRows.of(tmp_path / "none.parquet") is None
    assert KeptRows.of(written(tmp_path / "plain.parquet", ROWS)) is None
    (tmp_path / "by polars.parquet").write_bytes(b"no Parquet")
    with pytest.raises(ValueError, match="magic bytes"):
        KeptRows.of(tmp_path / "by polars.parquet")


@pytest.mark.parametrize("after", [0, 100])
def test_where_the_kernel_does_not_copy_or_stops_we_do(
    tmp_path: Path, kept: KeptRows, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    expected = extended(tmp_path / "a.parquet", kept, ADDED).read_bytes()
    copy = os.copy_file_range

    def stops(source: int, target: int, count: int) -> int:
        if not after or os.fstat(target).st_size:
            raise OSError(errno.EXDEV, "not across file systems")
        return copy(source, target, after)

    monkeypatch.setattr(os, "copy_file_range", stops)
    assert extended(tmp_path / "b.parquet", kept, ADDED).read_bytes() == expected
    monkeypatch.delattr(os, "copy_file_range")
    assert extended(tmp_path / "c.parquet", kept, ADDED).read_bytes() == expected


def test_room_is_really_taken_so_that_a_full_disk_is_an_error_of_its_own(tmp_path: Path) -> None:
    # A write to a map of a file that the disk has no room for ends the process.
    extended_file._make_room(tmp_path / "a", 2**20)
    assert (tmp_path / "a").stat().st_blocks * 512 >= 2**20
