from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.etl.preparation import SURVEY_COLUMNS, merge, split
from abalone_assets.etl.request import SPLIT_PERCENT
from abalone_assets.ingest.frames import SURVEY_SCHEMA
from abalone_assets.survey import MAX_RINGS, MEASUREMENTS, SEXES
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC
from abalone_assets.survey.splits import HASH_BASE, HASH_MODULUS
from abalone_assets_tests.etl.support import SPLITS, Prepared, frame_of, renamed
from abalone_assets_tests.support.strategies import MAXIMUM, rows_of_a_survey

if TYPE_CHECKING:
    from pathlib import Path

modest = settings(max_examples=60, deadline=None)
Row = tuple[Any, ...]
ROW: Row = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15)


def frame(rows: list[Row], source: str = "a", origin: str = SURVEYED) -> pl.DataFrame:
    schema = {name: SURVEY_SCHEMA[name] for name in SURVEY_COLUMNS}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        source_file=pl.lit(source), origin=pl.lit(origin)
    )


def merged(*frames: pl.DataFrame) -> pl.DataFrame:
    rows = pl.concat(frames).lazy().with_columns(newest=0)
    return merge(nw.from_native(rows)).to_native().collect()


def reference_hash(row: Row) -> int:
    """The same polynomial in whole numbers of any size, reduced once at the end."""
    sex, *measurements, rings = row
    fields = [SEXES.index(sex) + 1, rings, *(round(value * 10_000) for value in measurements), 0]
    powers = reversed(range(len(fields)))
    exact: int = sum(field * HASH_BASE**power for field, power in zip(fields, powers, strict=True))
    return exact % HASH_MODULUS


@modest
@given(rows_of_a_survey)
def test_order_and_bucket_are_those_of_the_polynomial_in_exact_arithmetic(rows: list[Row]) -> None:
    whole = merged(frame(rows))
    hashes = [reference_hash(row[:9]) for row in whole.iter_rows()]
    assert hashes == sorted(hashes)
    assert whole["bucket"].to_list() == [each % 100 for each in hashes]


def test_the_arithmetic_never_leaves_64_bits_and_the_modulus_is_prime() -> None:
    largest_field = max(*(int(MAXIMUM[name] * 10_000) for name in MEASUREMENTS), MAX_RINGS)
    assert (HASH_MODULUS - 1) * HASH_BASE + largest_field < 2**63
    assert pow(3, HASH_MODULUS - 1, HASH_MODULUS) == 1
    assert HASH_BASE < HASH_MODULUS


def test_the_buckets_of_known_rows_never_change() -> None:
    # A changed hash would move rows that a champion was trained on into the test split.
    rows: list[Row] = [
        ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15),
        ("F", 0.53, 0.42, 0.135, 0.677, 0.2565, 0.1415, 0.21, 9),
        ("I", 0.33, 0.255, 0.08, 0.205, 0.0895, 0.0395, 0.055, 7),
    ]
    found = {row[0]: row[-1] for row in merged(frame(rows)).iter_rows()}
    assert found == {"M": 16, "F": 75, "I": 75}


@modest
@given(rows_of_a_survey, st.randoms(use_true_random=False))
def test_the_result_does_not_depend_on_order_repeats_or_how_rows_are_spread_over_files(
    rows: list[Row], random: Any
) -> None:
    whole = merged(frame(rows))
    shuffled = rows + random.choices(rows, k=5)
    random.shuffle(shuffled)
    cut = random.randrange(len(shuffled) + 1)
    assert merged(frame(shuffled[:cut]), frame(shuffled[cut:])).equals(whole)


@modest
@given(rows_of_a_survey)
def test_every_row_is_in_exactly_one_split(rows: list[Row]) -> None:
    whole = merged(frame(rows))
    parts = [split(nw.from_native(whole.lazy()), name).to_native().collect() for name in SPLITS]
    together = [row for part in parts for row in part.select(SURVEY_COLUMNS).iter_rows()]
    assert sorted(together) == sorted(set(rows))


def test_an_exact_repeat_is_removed_and_a_row_that_differs_anywhere_is_kept() -> None:
    others: list[Row] = [("F", *ROW[1:])]
    others += [(*ROW[:i], ROW[i] + 1, *ROW[i + 1 :]) for i in range(1, 9)]
    assert len(merged(frame([ROW, ROW]), frame([ROW], "b"))) == 1
    assert len(merged(frame([ROW, *others]))) == len(others) + 1 == 10


def test_a_row_tells_the_first_file_by_name_that_has_it() -> None:
    frames = [frame([ROW], name) for name in ("abalone.20250303", "abalone.20230101", "b")]
    assert merged(*frames)["source_file"].to_list() == ["abalone.20230101"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_a_simulated_row_that_is_sent_again_as_a_survey_stays_synthetic(
    names: tuple[str, str],
) -> None:
    # Else a simulation, joined to a real file by hand, would count as evidence.
    other: Row = ("F", *ROW[1:])
    found = merged(frame([ROW], names[0], SYNTHETIC), frame([ROW, other], names[1]))
    assert {one[0]: one[-2] for one in found.iter_rows()} == {"M": SYNTHETIC, "F": SURVEYED}


@modest
@given(rows_of_a_survey)
def test_a_rows_bucket_and_place_do_not_depend_on_its_origin(rows: list[Row]) -> None:
    surveyed, simulated = merged(frame(rows)), merged(frame(rows, origin=SYNTHETIC))
    assert simulated.drop("origin").equals(surveyed.drop("origin"))


def test_float_noise_in_a_measurement_does_not_move_its_row() -> None:
    noisy: Row = ("M", *(value * (1 + 2**-50) for value in ROW[1:8]), 15)
    assert merged(frame([noisy]))["bucket"].to_list() == merged(frame([ROW]))["bucket"].to_list()


def test_an_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^holdout: the splits are train_split, validation_"):
        split(nw.from_native(pl.LazyFrame({"bucket": [1]})), "holdout")


def test_the_uci_file_sent_twice_is_all_repeats_and_splits_near_80_15_5(
    uci_file: Path, tmp_path: Path
) -> None:
    # Twins of training rows in the test split make any model look good.
    uci = frame_of(uci_file.read_bytes(), "abalone.data")
    report = Prepared(tmp_path, uci, renamed(uci.sample(4175, seed=1), "abalone.1")).report
    rows = report.rows
    assert rows["merged_dataset"] == report.repeats == report.rows_in / 2 == 4175
    for name, percent in SPLIT_PERCENT.items():
        assert abs(rows[name] / 4175 - percent / 100) < 0.015
    assert sum(rows[name] for name in SPLITS) == 4175
