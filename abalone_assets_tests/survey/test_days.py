"""A day is written in one way, wherever somebody tells one."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from abalone_assets.errors import SurveyError
from abalone_assets.survey import parse_day, parse_time

OTHERWISE = ["20250303", "2025-W10-1", "2025W101", "2025-3-3", "2025-062", "2025-03-03\n", ""]
"""Among them is what `date.fromisoformat` takes."""


def test_a_day_is_year_month_and_day() -> None:
    assert parse_day("2025-03-03") == date(2025, 3, 3)


@pytest.mark.parametrize(
    "text", [*OTHERWISE, " 2025-03-03", "2025-03-03T00:00", "\u0662\u0660\u0662\u0665-03-03"]
)
def test_a_day_that_is_written_otherwise_is_none(text: str) -> None:
    with pytest.raises(SurveyError, match="is no day: write it as 2025-03-14") as refused:
        parse_day(text)
    assert str(refused.value).startswith(repr(text))


@pytest.mark.parametrize("text", ["2025-02-30", "0000-01-01"])
def test_a_day_that_is_in_no_calendar_is_told(text: str) -> None:
    with pytest.raises(SurveyError, match=f"'{text}' is no day: "):
        parse_day(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-09-01", datetime(2025, 9, 1, tzinfo=UTC)),
        ("2025-09-01T06:15", datetime(2025, 9, 1, 6, 15, tzinfo=UTC)),
        ("2025-09-01 08:15:00+02:00", datetime(2025, 9, 1, 6, 15, tzinfo=UTC)),
    ],
)
def test_a_time_begins_with_its_day(text: str, moment: datetime) -> None:
    told = parse_time(text)
    assert (told, told.utcoffset()) == (moment, moment.utcoffset())


@pytest.mark.parametrize(
    "text",
    [
        *(*OTHERWISE, "20250303T061500", "2025-W10-1T06:15", "2025-03-03T25:00"),
        *("2025-03-03T", "9999-12-31T23:59:59-12:00", "0001-01-01T00+12:00"),
    ],
)
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(SurveyError, match="is no time: "):
        parse_time(text)
