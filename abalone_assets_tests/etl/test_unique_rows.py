"""Repeats are removed and rows ordered as the one expression says, that every engine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abalone_assets.etl.preparation import bucketed, hashed, without_repeats
from abalone_assets.etl.unique_rows import UniqueRows
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC
from abalone_assets_tests.etl.test_preparation import Row, frame, modest
from abalone_assets_tests.support.strategies import rows_of_a_survey

if TYPE_CHECKING:
    from collections.abc import Iterable


def hashed_rows(*frames: pl.DataFrame, hashes: int | None = None, newest: int = 0) -> pl.DataFrame:
    """With their hash, or with one of so few that different rows share it.

    Args:
        frames: The rows.
        hashes: How many hashes there are; as many as there really are when None.
        newest: So many frames at the end are of the newest surveys.
    """
    older = len(frames) - newest
    flagged = [each.lazy().with_columns(newest=int(i >= older)) for i, each in enumerate(frames)]
    rows = hashed(nw.from_native(pl.concat(flagged))).to_native().collect()
    return rows if hashes is None else rows.with_columns(pl.col("row_hash") % hashes)


def expected(rows: pl.DataFrame) -> pl.DataFrame:
    return bucketed(without_repeats(nw.from_native(rows.lazy()))).to_native().collect()


def together(blocks: Iterable[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat(blocks)
    return bucketed(nw.from_native(rows.lazy())).to_native().collect()


@modest
@given(
    rows_of_a_survey,
    st.randoms(use_true_random=False),
    st.sampled_from([None, 1, 2, 5]),
    st.integers(1, 9),
    st.integers(0, 3),
)
def test_it_is_what_the_expression_says_however_many_rows_share_a_hash(
    rows: list[Row], random: Any, hashes: int | None, size: int, newest: int
) -> None:
    again = random.choices(rows, k=5)
    frames = [frame(rows, "b"), frame(again, "a", SYNTHETIC), frame(rows[:2], "c", SURVEYED)]
    random.shuffle(frames)
    whole = hashed_rows(*frames, hashes=hashes, newest=newest)
    unique = UniqueRows.of(whole)
    blocks = list(unique.blocks(size))
    assert together(blocks).equals(expected(whole))
    assert max(map(len, blocks)) <= size
    older = whole.filter(pl.col("newest") == 0)
    alone = expected(older)
    assert unique.older_repeats == len(older) - len(alone)
    assert unique.repeats == len(whole) - len(expected(whole))
    unchanged = together([whole.clear(), *unique.older_blocks(size)]).equals(alone)
    assert unique.changes_older is not unchanged


@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows_and_one_row_are_themselves(rows: int) -> None:
    whole = hashed_rows(frame([("M", 0.4, 0.3, 0.1, 0.5, 0.2, 0.1, 0.1, 9)]).head(rows))
    unique = UniqueRows.of(whole)
    assert (len(unique.older), len(unique.newest), unique.repeats) == (rows, 0, 0)
    assert sum(len(block) for block in unique.blocks(10)) == rows
