"""The header of a table that needs not tell rings; those of surveys are in ``test_found``."""

from __future__ import annotations

import pytest

from abalone_assets.survey import FEATURES
from abalone_assets.survey.header import HeaderError, read_header

NAMES = ["length", "sex", *FEATURES[2:]]


def test_columns_that_are_not_asked_for_are_left_out() -> None:
    layout = read_header([*NAMES, "Rings", "Age", "id"], FEATURES)
    assert layout.positions == (1, 0, 2, 3, 4, 5, 6, 7)
    assert layout.width == 11
    assert layout.ignored == ("Rings", "Age", "id")


def test_an_age_without_rings_is_no_matter_where_no_rings_are_asked_for() -> None:
    assert read_header([*NAMES, "age"], FEATURES).ignored == ("age",)
    with pytest.raises(HeaderError, match="no rings"):
        read_header([*NAMES, "age"])


def test_what_to_do_is_said_as_it_is_given() -> None:
    with pytest.raises(HeaderError, match=r"viscera_weight, shell_weight, in any order: mend it$"):
        read_header([*NAMES[:-1], "colour"], FEATURES, remedy="mend it")
