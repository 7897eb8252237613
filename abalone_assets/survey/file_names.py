"""Survey file names: ``abalone.YYYYMMDDHHMMSS``, the time being UTC."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from typing import Final

from abalone_assets.errors import SurveyError

_UTC: Final = timezone.utc  # noqa: UP017 - model archives run on Python 3.10, without datetime.UTC
_NAME: Final = re.compile(r"abalone\.([0-9]{4})" + r"([0-9]{2})" * 5)


def survey_time(name: str) -> datetime:
    """The time, UTC, that a survey file's name tells.

    Args:
        name: The file's name, without its folder.

    Raises:
        SurveyError: The name has another form, or its digits are no date and time.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        folder_hint = " (pass the name without its folder)" if "/" in name else ""
        raise SurveyError(
            f"{name!r} is not a survey file's name{folder_hint}: call it abalone.YYYYMMDDHHMMSS, "
            "with the survey's UTC time in 14 digits"
        )
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=_UTC)
    except ValueError as error:
        raise SurveyError(
            f"{name!r} names a time that does not exist ({error}): "
            "the digits are year, month, day, hour, minute and second"
        ) from error


def survey_day(name: str) -> date:
    """The UTC day that a survey file's name tells.

    Raises:
        SurveyError: As :func:`survey_time`.
    """
    return survey_time(name).date()


def survey_file_name(time: datetime) -> str:
    """The name of the survey file of that time; fractions of a second are dropped.

    Raises:
        SurveyError: The time has no time zone.
    """
    if time.utcoffset() is None:
        raise SurveyError(f"{time} has no time zone: a survey file's name tells the UTC time")
    utc = time.astimezone(_UTC)
    return f"abalone.{utc.year:04d}{utc:%m%d%H%M%S}"
