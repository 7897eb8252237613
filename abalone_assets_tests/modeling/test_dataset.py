from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from abalone_assets.modeling.dataset import COLUMN_NAMES, DatasetError, read_split, rows_sha256
from abalone_assets_tests.modeling.support import split_frames, table


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
    assert tuple(columns) == COLUMN_NAMES
    pd.testing.assert_frame_equal(pd.DataFrame(columns), frame)


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


def test_names_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="test: there is no folder"):
        read_split(tmp_path / "nowhere", "test")


def test_names_a_folder_without_parquet(tmp_path: Path) -> None:
    (tmp_path / "data.csv").touch()
    with pytest.raises(DatasetError, match=r"test: no \.parquet file below"):
        read_split(tmp_path, "test")


def test_names_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"broken\.parquet is not a Parquet file"):
        read_split(tmp_path, "test")


def test_names_a_missing_column(tmp_path: Path, frame: pd.DataFrame) -> None:
    frame.drop(columns=["height", "rings"]).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=r"a\.parquet lacks the column height, rings"):
        read_split(tmp_path, "test")


def test_refuses_files_without_rows(tmp_path: Path, frame: pd.DataFrame) -> None:
    frame[:0].to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match="have no rows"):
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
