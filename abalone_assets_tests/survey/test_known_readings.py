"""What is remembered of readings never changes what a row is judged to be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abalone_assets.survey.columns import FEATURES
from abalone_assets.survey.rules import FIELD_READERS, SurveyRowError, validate_measurements

FIELDS = st.one_of(
    st.sampled_from(
        ["M", " f", "0.5", " .5\t", "5e-1", "0.50000000000000000", "1_0", "1\n", "nan"]
    ),
    st.sampled_from(["", "-0.0", "0", "9", "\u0663", "\x1c1", "inf", "0x1", "1e999", "+0.25"]),
    st.floats(0, 2).map(str),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.none(),
    st.lists(st.integers(), max_size=1),
    st.text(max_size=4),
)


def judged(values: list[Any], *, plainly: bool) -> object:
    try:
        if plainly:
            return [read(value) for read, value in zip(FIELD_READERS, values, strict=False)]
        return list(validate_measurements(values))
    except SurveyRowError as error:
        return error.column, error.rule, error.message


@given(st.lists(FIELDS, min_size=len(FEATURES), max_size=len(FEATURES)))
def test_any_row_is_judged_as_its_fields_are_read(values: list[Any]) -> None:
    for _ in range(2):
        assert judged(values, plainly=False) == judged(values, plainly=True)


@pytest.mark.parametrize("odd", [True, 1, 1.0, "1", [1]])
def test_equal_values_of_other_types_are_not_taken_for_each_other(odd: Any) -> None:
    row = ["M", *["1"] * 7]
    validate_measurements(row)
    for at in range(1, 8):
        changed = [*row[:at], odd, *row[at + 1 :]]
        assert judged(changed, plainly=False) == judged(changed, plainly=True)
