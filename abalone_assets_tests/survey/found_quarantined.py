"""What is found in survey files and costs a row, which goes into the quarantine."""

from __future__ import annotations

from typing import Final

from abalone_assets_tests.survey.files import (
    ANIMALS,
    UCI,
    each,
    in_units,
    named_units,
    text,
    with_value,
)
from abalone_assets_tests.survey.outcomes import QUARANTINED, Found

FOUND_QUARANTINED: Final = (
    Found(
        "a field that breaks the rule of its column",
        QUARANTINED,
        (
            with_value("X", 0),
            with_value("0", 3),
            with_value("nan", 4),
            with_value("91", 1),
            with_value("9.5", 8),
            with_value("", 2),
        ),
        "sex|not_positive|not_finite|above_maximum|not_an_integer|not_a_number",
        (3,),
    ),
    Found(
        "another number of fields, text behind a closing quote",
        QUARANTINED,
        (with_value("1,1", 4), text(each(lambda fields: fields[:5], 50)), with_value('"1"x', 4)),
        "field_count|quoting",
        (3, 0),
    ),
    Found(
        "an animal in mm and g in a survey, or one of a survey's units in a file in mm and g",
        QUARANTINED,
        (
            text([*ANIMALS[:3], *in_units(1, 1)[3:4], *ANIMALS[4:]]),
            text([*in_units(1, 1)[:3], *ANIMALS[3:4], *in_units(1, 1)[4:]], named_units("mm", "g")),
        ),
        "above_maximum|units",
        (3,),
    ),
    Found(
        "nine empty fields, as below the last line of a spreadsheet",
        QUARANTINED,
        (text([*ANIMALS, *[[""] * 9] * 40]),),
        "sex",
    ),
    Found(
        "the same header again, further down",
        QUARANTINED,
        (
            text([*ANIMALS[:20], UCI, *ANIMALS[20:]], UCI),
            text([*ANIMALS[:20], UCI, *ANIMALS[20:]]),
            text([named_units("mm", "g"), *in_units(1, 1)], named_units("mm", "g")),
        ),
        "sex",
    ),
)
