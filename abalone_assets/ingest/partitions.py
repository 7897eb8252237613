"""Which survey day's partition a file's name puts it in."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from abalone_assets.errors import SurveyError
from abalone_assets.survey import landed_day

if TYPE_CHECKING:
    from datetime import date


def partition_of(name: str, first_day: date, last_day: date) -> date:
    """The partition, ``first_day`` to ``last_day``, that a file's name puts it in.

    Raises:
        SurveyError: It is in none of them; the message says why.
    """
    day = landed_day(name)
    if day < first_day:
        raise SurveyError(
            f"its day {day} is before the first partition {first_day}; "
            "set ABALONE_FIRST_SURVEY_DAY to an earlier day to take it in"
        )
    if day > last_day:
        raise SurveyError(f"its day {day} is in the future; it is taken in when that day comes")
    return day


def is_of_future(name: str, last_day: date) -> bool:
    """Whether a file's name tells a day that comes after the last partition."""
    with suppress(SurveyError):
        return landed_day(name) > last_day
    return False
