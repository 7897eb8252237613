from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from hypothesis import given, settings

from abalone_assets.etl.preparation import merge
from abalone_assets.modeling.dataset import COLUMN_NAMES, concat, take
from abalone_assets.modeling.evaluation.split_integrity import (
    SplitIntegrity,
    row_buckets,
    split_integrity,
)
from abalone_assets.survey.splits import buckets_of
from abalone_assets_tests.modeling.support import rows
from abalone_assets_tests.support.strategies import rows_of_a_survey


@settings(max_examples=40, deadline=None)
@given(rows_of_a_survey)
def test_the_hash_is_the_preparations_for_any_animal(made: list[tuple[Any, ...]]) -> None:
    frame = pl.DataFrame(made, schema=list(COLUMN_NAMES), orient="row").lazy()
    frame = frame.with_columns(source_file=pl.lit(""), origin=pl.lit("surveyed"), newest=0)
    merged = merge(nw.from_native(frame)).to_native().collect()
    columns = {name: merged[name].to_numpy() for name in COLUMN_NAMES}
    assert row_buckets(columns).tolist() == merged["bucket"].to_list()


def dealt() -> dict[str, dict[str, Any]]:
    """Real rows, each in the split that its hash says."""
    columns = rows(0, 1000)
    buckets = row_buckets(columns)
    return {
        name: take(columns, np.isin(buckets, list(buckets_of(f"{name}_split"))))
        for name in ("train", "validation", "test")
    }


def found_in(parts: dict[str, dict[str, Any]]) -> SplitIntegrity:
    return split_integrity(**parts, missing=0, foreign=0)


def test_rows_where_their_hash_says_are_nothing_to_report() -> None:
    nothing = {"misplaced": 0, "leaked": 0, "missing": 0, "foreign": 0}
    assert found_in(dealt()) == {**nothing, "near_twins": 0, "surveyed": 1000}
    counted = split_integrity(**dealt(), missing=None, foreign=2)
    assert (counted["missing"], counted["foreign"]) == (None, 2)


def test_rows_of_another_split_are_misplaced_in_the_test_split() -> None:
    parts = dealt()
    parts["test"] = concat([parts["test"], take(parts["train"], np.arange(3))])
    found = found_in(parts)
    assert found["misplaced"] == found["leaked"] == 3  # they still are in training


def test_repeats_of_a_row_are_misplaced_in_the_test_split() -> None:
    parts = dealt()
    two = take(parts["test"], np.arange(2))
    parts["test"] = concat([two, parts["test"], two, two])
    found = found_in(parts)
    assert (found["misplaced"], found["leaked"]) == (6, 0)


def test_near_duplicates_count_across_splits_and_simulated_ones_do_not() -> None:
    parts = dealt()
    again = take(parts["test"], np.arange(10))
    again["shell_weight"] = again["shell_weight"] + 0.0005
    parts["train"] = concat([parts["train"], again])
    found = found_in(parts)
    assert (found["near_twins"], found["surveyed"]) == (20, 1010)
    parts["train"]["origin"][-10:] = "synthetic"
    found = found_in(parts)
    assert (found["near_twins"], found["surveyed"]) == (0, 1000)


def test_test_rows_in_training_have_leaked_whether_or_not_the_test_split_lacks_them() -> None:
    parts = dealt()
    parts["validation"] = concat([parts["validation"], take(parts["test"], np.arange(2))])
    parts["test"] = take(parts["test"], np.arange(1, 40))
    assert found_in(parts)["leaked"] == 2
