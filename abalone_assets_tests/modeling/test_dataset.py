from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from abalone_assets.modeling.dataset import (
    COLUMN_NAMES,
    DatasetError,
    concat,
    is_surveyed,
    read_split,
    row_keys,
    rows_sha256,
    take,
)
from abalone_assets_tests.modeling.support import one_animal, split_frames, table


@pytest.fixture
def frame() -> pd.DataFrame:
    return split_frames()["test"].reset_index(drop=True)


def test_reads_all_parquet_files_in_the_order_of_their_names(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    (tmp_path / "a").mkdir()
    frame[100:].to_parquet(tmp_path / "b.parquet")
    frame[:100].to_parquet(tmp_path / "a/part.parquet")
    (tmp_path / "_SUCCESS").touch()
    columns = read_split(tmp_path, "test")
    assert tuple(columns) == (*COLUMN_NAMES, "source_file", "origin")
    pd.testing.assert_frame_equal(pd.DataFrame(columns)[list(COLUMN_NAMES)], frame)


def test_says_where_each_row_is_from(tmp_path: Path, frame: pd.DataFrame) -> None:
    """Splits from before rows told their origin count as surveyed."""
    simulated = frame[:3].assign(origin="synthetic", source_file="abalone.20250301000000")
    simulated.to_parquet(tmp_path / "a.parquet")
    frame[3:].to_parquet(tmp_path / "b.parquet")
    columns = read_split(tmp_path, "train")
    assert columns["source_file"].tolist()[:4] == ["abalone.20250301000000"] * 3 + [""]
    assert is_surveyed(columns).tolist() == [False] * 3 + [True] * (len(frame) - 3)
    assert is_surveyed(table(frame)).all()


@pytest.mark.parametrize("leftover", [".data.parquet.0.staged", "_staged", "a/.hidden"])
def test_passes_over_what_is_not_finished(
    tmp_path: Path, frame: pd.DataFrame, leftover: str
) -> None:
    """What a killed Spark job had left beside the split once became rows to train on."""
    frame.to_parquet(tmp_path / "data.parquet")
    (tmp_path / leftover).mkdir(parents=True)
    frame.to_parquet(tmp_path / leftover / "part-0.parquet")
    frame.to_parquet(tmp_path / "_part-0.parquet")
    assert len(read_split(tmp_path, "test")["rings"]) == len(frame)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: frame.assign(origin="dreamt"), "origin is 'dreamt'; it must be surveyed or"),
        (lambda frame: frame.drop(columns=["height", "rings"]), "lacks the column height, rings"),
        (lambda frame: frame[:0], "have no rows"),
    ],
)
def test_refuses_files_that_are_no_split(
    tmp_path: Path,
    frame: pd.DataFrame,
    spoil: Callable[[pd.DataFrame], pd.DataFrame],
    message: str,
) -> None:
    spoil(frame).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=f"^test: .*{message}"):
        read_split(tmp_path, "test")


def test_names_what_is_not_there_or_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="test: there is no folder"):
        read_split(tmp_path / "nowhere", "test")
    (tmp_path / "data.csv").touch()
    with pytest.raises(DatasetError, match=r"test: no \.parquet file below"):
        read_split(tmp_path, "test")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"broken\.parquet is not a Parquet file"):
        read_split(tmp_path, "test")


def test_digest_depends_on_rows_but_not_on_their_order_or_on_float_noise(
    frame: pd.DataFrame,
) -> None:
    digest = rows_sha256(table(frame))
    noisy = table(frame[::-1])
    noisy["length"] = noisy["length"] + 1e-9
    assert rows_sha256(noisy) == digest
    assert rows_sha256(table(frame[1:])) != digest
    older = table(frame) | {"rings": np.where(frame.index == 0, 29, frame["rings"])}
    assert rows_sha256(older) != digest


def test_a_key_is_the_rows_own_wherever_it_is_and_whatever_float_noise_it_has(
    frame: pd.DataFrame,
) -> None:
    keys = row_keys(table(frame))
    noisy = table(frame[::-1]) | {"origin": np.full(len(frame), "surveyed")}
    noisy["length"] = noisy["length"] + 1e-9
    assert keys.dtype == np.uint64
    assert np.array_equal(row_keys(noisy), keys[::-1])
    assert np.unique(keys).size == len(frame.drop_duplicates())
    older = table(frame) | {"rings": frame["rings"].to_numpy() + 1}
    assert not np.isin(row_keys(older), keys).any()


def test_a_key_is_the_same_for_ever() -> None:
    """Folds, and with them the evidence of older models, hang on it."""
    assert row_keys(one_animal()).tolist() == [13931434904448210852]


def test_takes_and_joins_rows_of_every_column(frame: pd.DataFrame) -> None:
    columns = table(frame) | {"origin": np.full(len(frame), "surveyed", dtype=object)}
    early = np.arange(len(frame)) < 10
    parts = [take(columns, early), take(columns, np.flatnonzero(~early))]
    joined = concat(parts)
    assert joined.keys() == columns.keys()
    assert all(np.array_equal(joined[name], columns[name]) for name in columns)
    assert "origin" not in concat([parts[0], table(frame)])
