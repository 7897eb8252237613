"""Many clean rows are read column by column, and nobody can tell."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.modeling import inference
from abalone_assets.modeling.inference import InvalidRequestError, input_fn
from abalone_assets.modeling.rows import (
    FEW_CHARACTERS,
    Rows,
    csv_columns,
    field_columns,
    json_columns,
)
from abalone_assets.survey import SEXES, validate_measurements
from abalone_assets.survey.units import MM_G
from abalone_assets_tests.modeling.support import CSV_ROW

MANY = 1 + FEW_CHARACTERS // len(CSV_ROW)

clean = st.tuples(
    st.sampled_from(SEXES), *[st.integers(1, 15000).map(lambda step: f"{step / 10000:g}")] * 7
).map(",".join)
ODD = [
    *("", " ", "m,0.1,0.1,0.1,0.1,0.1,0.1,0.1", "M,1e-1,0.1,0.1,0.1,0.1,0.1,0.1"),
    *("M,0.1,0.1,0.1,0.1,0.1,0.1", "F,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1"),
    "M,0.1,0.1,0.1,0.1,0.1,0.1,0.1,F\n0.1,0.1,0.1,0.1,0.1,0.1,0.1",  # sixteen fields in two lines
    *("M,.1,1.,0.1,0.1,0.1,0.1,0.1", "M,.,0.1,0.1,0.1,0.1,0.1,0.1"),
    *("M,0.123456,0.1,0.1,0.1,0.1,0.1,0.1", "M,1.38365,0.1,0.1,0.1,0.1,0.1,0.1"),
    *("M,0.00005,0.1,0.1,0.1,0.1,0.1,0.1", "I,0.00004,0.1,0.1,0.1,0.1,0.1,0.1"),
    *("M,1.50004,0.1,0.1,0.1,0.1,0.1,0.1", "M,1.50006,0.1,0.1,0.1,0.1,0.1,0.1"),
    *("M,0,0.1,0.1,0.1,0.1,0.1,0.1", "M,-1,0.1,0.1,0.1,0.1,0.1,0.1"),
    *("M,1_0,0.1,0.1,0.1,0.1,0.1,0.1", "M,0.1.1,0.1,0.1,0.1,0.1,0.1,0.1"),
    *("M,\u0663,0.1,0.1,0.1,0.1,0.1,0.1", '"M",0.1,0.1,0.1,0.1,0.1,0.1,0.1'),
    *("M, 0.1,0.1,0.1,0.1,0.1,0.1,0.1\r", "MF,0.1,0.1,0.1,0.1,0.1,0.1,0.1"),
    "M,0.1,,0.1,0.1,0.1,0.1,0.1",
]
odd = st.sampled_from(ODD)


def told(body: str, content_type: str) -> Any:
    """The rows, or the whole refusal."""
    try:
        return list(input_fn(body, content_type))
    except InvalidRequestError as error:
        return (str(error), error.row, error.column)


def as_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def told_row_by_row(body: str, content_type: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "csv_columns", lambda *_: None)
        patch.setattr(inference, "json_columns", lambda *_: None)
        return told(body, content_type)


@pytest.mark.parametrize("line", ODD)
def test_a_line_among_clean_ones_is_read_as_it_is_row_by_row(line: str) -> None:
    body = "\n".join([*[CSV_ROW] * MANY, line, CSV_ROW])
    assert told(body, "text/csv") == told_row_by_row(body, "text/csv")
    rows = [each.split(",") for each in line.split("\n")]
    for numbers in (str, as_number):
        instances = [[*each[:1], *map(numbers, each[1:])] for each in rows]
        body = json.dumps({"instances": [*[["M", *[0.1] * 7]] * MANY, *instances]})
        assert told(body, "application/json") == told_row_by_row(body, "application/json")


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(clean, min_size=1, max_size=3), extra=st.lists(odd, max_size=2))
def test_csv_is_read_as_it_is_row_by_row(lines: list[str], extra: list[str]) -> None:
    body = "\n".join([*lines * MANY, *extra, *lines])
    assert told(body, "text/csv") == told_row_by_row(body, "text/csv")


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(clean, min_size=1, max_size=3), extra=st.lists(odd, max_size=2))
def test_json_is_read_as_it_is_row_by_row(lines: list[str], extra: list[str]) -> None:
    clean_rows = [[row[0], *map(float, row[1:])] for row in (line.split(",") for line in lines)]
    odd_rows = [[*line.split(",")] for line in extra]
    body = json.dumps({"instances": [*clean_rows * MANY, *odd_rows]})
    assert told(body, "application/json") == told_row_by_row(body, "application/json")


measured = st.tuples(
    st.sampled_from(SEXES),
    *[st.integers(1, 30_000).map(lambda step: f"{step / 100:g}")] * 3,
    *[st.integers(1, 40_000).map(lambda step: f"{step / 100:g}")] * 4,
).map(",".join)


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(measured, min_size=1, max_size=3),
    extra=st.lists(st.one_of(odd, clean), max_size=2),
    units=st.sampled_from(["mm-g", "cm-kg", "in-oz", "mm-scaled", "survey"]),
)
def test_other_units_are_read_as_they_are_row_by_row(
    lines: list[str], extra: list[str], units: str
) -> None:
    body = "\n".join([*lines * MANY, *extra, *lines])
    for head in ("text/csv", "text/csv; charset=utf-8"):
        content_type = f"{head}; units={units}"
        assert told(body, content_type) == told_row_by_row(body, content_type)
    rows = [[row[0], *map(as_number, row[1:])] for row in (line.split(",") for line in lines)]
    body, content_type = json.dumps({"instances": rows * MANY}), f"application/json; units={units}"
    assert told(body, content_type) == told_row_by_row(body, content_type)


def test_clean_bodies_in_mm_and_g_take_the_short_way_to_the_same_animals() -> None:
    line = "M,91,73,19,102.8,44.9,20.2,30"
    for columns in (
        csv_columns(f"{line}\n" * 2 * MANY, MM_G),
        json_columns([["M", 91.0, 73.0, 19.0, 102.8, 44.9, 20.2, 30.0]] * MANY, MM_G),
        field_columns([[field] * MANY for field in line.split(",")], MM_G),
    ):
        assert columns is not None
        first = next(iter(Rows(columns, "text/csv")))
        assert first == validate_measurements(CSV_ROW.split(","))


@pytest.mark.parametrize("spoilt", ["0,1", " 1", "1e-1", "nan", "1_0", "\u0663", "", "-1", "9"])
def test_fields_that_are_not_clean_are_read_row_by_row(spoilt: str) -> None:
    columns = [[field, spoilt if at == 3 else field] for at, field in enumerate(CSV_ROW.split(","))]
    assert field_columns(columns) is None
    assert field_columns([each[:1] for each in columns]) is not None


@pytest.mark.parametrize(
    "spoilt", [None, 7, {"sex": "M"}, ["M"], ["M", *[True] * 7], [[], *[1.0] * 7]]
)
def test_json_of_another_shape_is_read_row_by_row(spoilt: object) -> None:
    body = json.dumps({"instances": [*[["M", *[0.1] * 7]] * MANY, spoilt]})
    assert told(body, "application/json") == told_row_by_row(body, "application/json")


def test_a_field_that_is_too_long_is_refused_among_clean_ones_too() -> None:
    body = f"{CSV_ROW}\n" * MANY + CSV_ROW.replace("0.455", "0.455" + "0" * csv.field_size_limit())
    assert told(body, "text/csv") == told_row_by_row(body, "text/csv")
    assert "field larger than field limit" in str(told(body, "text/csv"))


def test_clean_bodies_take_the_short_way() -> None:
    rows = [line.split(",") for line in [CSV_ROW] * MANY]
    assert csv_columns(f"{CSV_ROW}\n" * MANY) is not None
    assert json_columns([[row[0], *map(float, row[1:])] for row in rows]) is not None


def test_rows_are_a_sequence_of_plain_values() -> None:
    rows = input_fn(f"{CSV_ROW}\n" * MANY, "text/csv")
    assert isinstance(rows, Rows)
    assert len(rows) == MANY
    assert rows[0] == rows[-1] == ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15)
    assert type(rows[0][1]) is float
    assert rows[:2] == [rows[0]] * 2
