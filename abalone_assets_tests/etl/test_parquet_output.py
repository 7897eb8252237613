"""What the preparation writes: files that many tools read, put in place all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from abalone_assets.etl import parquet_output
from abalone_assets.etl.parquet_output import ParquetFile, staged

if TYPE_CHECKING:
    from pathlib import Path

ROWS = pl.DataFrame({"sex": ["M", "F", "I"] * 9, "rings": range(27), "length": [0.5] * 27})


@pytest.fixture(autouse=True)
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_output, "ROW_GROUP_ROWS", 10)


def written(path: Path, *blocks: pl.DataFrame, note: dict[str, str] | None = None) -> Path:
    file = ParquetFile(path, ROWS.schema)
    for block in blocks:
        file.add(block)
    file.close(note)
    return path


def test_row_groups_are_of_one_size_and_the_bytes_do_not_tell_how_rows_came(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", ROWS)
    pieces = [ROWS.slice(start, 4) for start in range(0, 27, 4)]
    parts = written(tmp_path / "parts", *pieces, pl.concat([ROWS.head(1), ROWS.head(2)]).clear())
    assert parts.read_bytes() == whole.read_bytes()
    metadata = pq.read_metadata(whole)
    assert [metadata.row_group(i).num_rows for i in range(3)] == [10, 10, 7]


def test_every_reader_finds_the_rows_and_plain_types(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", ROWS)
    assert pl.read_parquet(path).equals(ROWS)
    assert pd.read_parquet(path)["sex"].tolist() == ROWS["sex"].to_list()
    found = duckdb.connect().execute(f"select count(*), max(rings) from '{path}'")
    assert found.fetchall() == [(27, 26)]
    assert str(pq.read_schema(path).field("sex").type) == "string"  # no type of Arrow's alone


def test_nothing_is_put_in_place_when_one_output_fails(tmp_path: Path) -> None:
    uris = {name: str(tmp_path / name / "data.parquet") for name in ("one", "other")}

    def write(*, fails: bool) -> None:
        with staged(uris) as files:
            written(files["one"], ROWS)
            if fails:
                raise OSError("the disk is full")
            written(files["other"], ROWS)

    with pytest.raises(OSError, match="disk is full"):
        write(fails=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    write(fails=False)
    found = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["data.parquet", "data.parquet"]
