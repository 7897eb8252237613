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


def frame(rows: list[Row], source: str = "a", origin: str = SURVEYED) -> pl.DataFrame:
    schema = {name: SURVEY_SCHEMA[name] for name in SURVEY_COLUMNS}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        source_file=pl.lit(source), origin=pl.lit(origin)
    )


def merged(*frames: pl.DataFrame) -> pl.DataFrame:
    return merge([nw.from_native(frame.lazy()) for frame in frames]).to_native().collect()


def reference_hash(row: Row) -> int:
    """The same polynomial in whole numbers of any size, reduced once at the end."""
    sex, *measurements, rings = row
    fields = [SEXES.index(sex) + 1, rings, *(round(value * 10_000) for value in measurements), 0]
    powers = reversed(range(len(fields)))
    exact: int = sum(field * HASH_BASE**power for field, power in zip(fields, powers, strict=True))
    return exact % HASH_MODULUS


@modest
@given(rows_of_a_survey)
def test_the_bucket_is_that_of_the_polynomial_in_exact_arithmetic(rows: list[Row]) -> None:
    for *row, _, _, bucket in merged(frame(rows)).iter_rows():
        assert 0 <= bucket < 100
        assert bucket == reference_hash(tuple(row)) % 100


@modest
@given(rows_of_a_survey)
def test_rows_are_in_the_order_of_their_hash(rows: list[Row]) -> None:
    hashes = [reference_hash(row[:9]) for row in merged(frame(rows)).iter_rows()]
    assert hashes == sorted(hashes)


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
    row: Row = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15)
    others: list[Row] = [("F", *row[1:])]
    others += [(*row[:i], row[i] + 1, *row[i + 1 :]) for i in range(1, 9)]
    assert len(merged(frame([row, row]), frame([row], "b"))) == 1
    assert len(merged(frame([row, *others]))) == len(others) + 1 == 10


def test_the_hash_tells_rows_apart_that_differ_in_the_last_decimal_of_any_field() -> None:
    row: Row = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15)
    variants: list[Row] = [row, ("F", *row[1:]), ("I", *row[1:]), (*row[:-1], 16)]
    variants += [(*row[:i], round(row[i] + 0.0001, 4), *row[i + 1 :]) for i in range(1, 8)]
    assert len({reference_hash(variant) for variant in variants}) == len(variants)


def test_a_row_tells_the_first_file_by_name_that_has_it() -> None:
    row: Row = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15)
    frames = [frame([row], name) for name in ("abalone.20250303", "abalone.20230101", "b")]
    assert merged(*frames)["source_file"].to_list() == ["abalone.20230101"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_a_simulated_row_that_is_sent_again_as_a_survey_stays_synthetic(
    names: tuple[str, str],
) -> None:
    # Else a simulation, joined to a real file by hand, would count as evidence.
    row: Row = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15)
    other: Row = ("F", *row[1:])
    found = merged(frame([row], names[0], SYNTHETIC), frame([row, other], names[1]))
    assert {one[0]: one[-2] for one in found.iter_rows()} == {"M": SYNTHETIC, "F": SURVEYED}


@modest
@given(rows_of_a_survey)
def test_a_rows_bucket_and_place_do_not_depend_on_its_origin(rows: list[Row]) -> None:
    surveyed, simulated = merged(frame(rows)), merged(frame(rows, origin=SYNTHETIC))
    assert simulated.drop("origin").equals(surveyed.drop("origin"))


def test_float_noise_in_a_measurement_does_not_move_its_row() -> None:
    row: Row = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15)
    noisy: Row = ("M", *(value * (1 + 2**-50) for value in row[1:8]), 15)
    assert merged(frame([noisy]))["bucket"].to_list() == merged(frame([row]))["bucket"].to_list()


def test_the_splits_shares_are_a_hundred_percent() -> None:
    assert sum(SPLIT_PERCENT.values()) == 100


def test_an_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^holdout: the splits are train_split, validation_"):
        split(nw.from_native(pl.LazyFrame({"bucket": [1]})), "holdout")


# On the UCI file -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uci(uci_file: Path) -> pl.DataFrame:
    return frame_of(uci_file.read_bytes(), "abalone.data")


@pytest.fixture(scope="module")
def whole(uci: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared(tmp_path_factory.mktemp("whole"), uci)


def test_the_uci_file_has_no_repeats_and_splits_near_80_15_5(whole: Prepared) -> None:
    rows = whole.report.rows
    assert rows["merged_dataset"] == whole.report.rows_in == 4175
    assert whole.report.repeats == 0
    for name, percent in SPLIT_PERCENT.items():
        assert abs(rows[name] / 4175 - percent / 100) < 0.015
    assert sum(rows[name] for name in SPLITS) == 4175


def test_the_splits_resemble_each_other(whole: Prepared) -> None:
    def mean(name: str, column: str) -> float:
        values = whole.splits[name][column].to_list()
        return float(sum(values) / len(values))

    for name in SPLITS:
        assert abs(mean(name, "rings") - 9.93) < 0.6
        assert abs(mean(name, "length") - 0.524) < 0.03


def test_no_row_is_in_two_splits_and_none_is_lost(whole: Prepared, uci: pl.DataFrame) -> None:
    assert set(whole.split_of_each_row()) == set(uci.select(SURVEY_COLUMNS).iter_rows())


def test_a_row_keeps_its_split_when_the_data_grow(
    whole: Prepared, uci: pl.DataFrame, tmp_path: Path
) -> None:
    half = Prepared(tmp_path, uci.head(2000)).split_of_each_row()
    grown = whole.split_of_each_row()
    assert len(half) == 2000
    assert all(grown[row] == name for row, name in half.items())


def test_a_resent_survey_moves_no_row_and_adds_none(
    whole: Prepared, uci: pl.DataFrame, tmp_path: Path
) -> None:
    # Twins of training rows in the test split make any model look good.
    resent = renamed(uci.sample(fraction=1.0, shuffle=True, seed=1), "abalone.20250303120000")
    twice = Prepared(tmp_path, resent, uci)
    assert twice.report.repeats == 4175
    assert twice.split_of_each_row() == whole.split_of_each_row()
    assert set(twice.merged["source_file"]) == {"abalone.20250303120000"}
