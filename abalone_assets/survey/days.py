"""How a day, and a time, is written where people and programs tell one: 2025-03-14, in one way.

`fromisoformat` of Python 3.11 also takes 20250314 and 2025-W11-5. Partitions, folders of the lake
and addresses know one spelling, so whatever takes another one finds nothing, or something else.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from typing import Final

from abalone_assets.errors import SurveyError

_UTC: Final = timezone.utc  # noqa: UP017 - model archives run on Python 3.10, without datetime.UTC
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(rf"{_DAY.pattern}(?:[T ].+)?")


def parse_day(text: str) -> date:
    """The day that is written as YYYY-MM-DD.

    Raises:
        SurveyError: It is written otherwise, or there is no such day.
    """
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise SurveyError(f"{text!r} is no day: {error}") from error
    raise SurveyError(f"{text!r} is no day: write it as 2025-03-14")


def parse_time(text: str) -> datetime:
    """The time, UTC, that is written as YYYY-MM-DD, or as that and an ISO time behind it.

    Args:
        text: A day is its midnight; without a zone it is UTC.

    Raises:
        SurveyError: It is written otherwise, or no such time exists in UTC.
    """
    try:
        if _TIME.fullmatch(text):
            told = datetime.fromisoformat(text)
            return told.astimezone(_UTC) if told.tzinfo else told.replace(tzinfo=_UTC)
    except (ValueError, OverflowError) as error:  # 9999-12-31T23:59-12:00 is in no year of UTC
        raise SurveyError(f"{text!r} is no time: {error}") from error
    raise SurveyError(f"{text!r} is no time: write it as 2025-03-14T06:15:00")
