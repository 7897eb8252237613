"""Rows are found among thousands by two numbers each, and none is overlooked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from abalone_assets.etl.row_keys import keys_of, places_of, read_keys, write_keys
from abalone_assets_tests.etl.test_preparation import ROW, Row, frame, modest
from abalone_assets_tests.etl.test_unique_rows import hashed_rows
from abalone_assets_tests.support.strategies import rows_of_a_survey

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

few = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=12)


def array(pairs: list[tuple[int, int]]) -> NDArray[np.uint32]:
    return np.array(pairs, dtype=np.uint32).reshape(-1, 2).T.copy()


@modest
@given(few, few)
def test_every_place_with_both_numbers_is_found_and_no_other(
    kept: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    kept = sorted(kept, key=lambda pair: pair[0])
    wanted = [place for place, pair in enumerate(kept) if pair in set(asked)]
    assert places_of(array(asked), array(kept)).tolist() == wanted


@modest
@given(rows_of_a_survey)
def test_rows_differ_in_a_number_unless_they_are_equal(rows: list[Row]) -> None:
    keys = keys_of(hashed_rows(frame(rows)).with_columns(pl.col("row_hash").cast(pl.UInt32)))
    assert len(set(zip(*keys.tolist(), strict=True))) == len(set(rows))


def test_float_noise_and_the_sign_of_a_zero_are_seen_as_equality_sees_them() -> None:
    zero, negative = (*ROW[:3], 0.0, *ROW[4:]), (*ROW[:3], -0.0, *ROW[4:])
    noisy = (ROW[0], ROW[1] * (1 + 2**-50), *ROW[2:])
    whole = hashed_rows(frame([zero, negative, ROW, noisy]))
    hashes, prints = keys_of(whole.with_columns(pl.col("row_hash").cast(pl.UInt32))).tolist()
    assert prints[0] == prints[1]
    assert hashes[2] == hashes[3]
    assert prints[2] != prints[3]


def test_the_numbers_of_a_known_row_never_change() -> None:
    # They lie on disks: with others, repeats of what lies there would be overlooked.
    rows = hashed_rows(frame([ROW])).with_columns(pl.col("row_hash").cast(pl.UInt32))
    assert keys_of(rows).tolist() == [[1111994616], [2730588499]]


def test_a_file_of_other_rows_or_none_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "keys.npy"
    assert read_keys(path, 2) is None
    write_keys(path, [array([(1, 2)]), array([(3, 4)])])
    found = read_keys(path, 2)
    assert found is not None
    assert found.tolist() == [[1, 3], [2, 4]]
    assert read_keys(path, 3) is None
    path.write_bytes(b"cut short")
    assert read_keys(path, 2) is None
    write_keys(path, [])
    none = read_keys(path, 0)
    assert none is not None
    assert none.shape == (2, 0)
