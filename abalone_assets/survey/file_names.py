"""Names of the files that crews send: ``abalone.YYYYMMDDHHMMSS``, the time being UTC.

Animals whose rings nobody counted come in ``animals.YYYYMMDDHHMMSS``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Final

from abalone_assets.errors import SurveyError

_UTC: Final = timezone.utc  # noqa: UP017 - model archives run on Python 3.10, without datetime.UTC
_TIME: Final = re.compile(r"([0-9]{4})" + r"([0-9]{2})" * 5)


@dataclass(frozen=True)
class FileKind:
    """What a file that crews send holds.

    Attributes:
        word: What its name begins with, before the full stop.
        owner: Whose name that is, for messages.
    """

    word: str
    owner: str

    @property
    def prefix(self) -> str:
        """What the names of all such files begin with."""
        return f"{self.word}."

    @property
    def form(self) -> str:
        """Such a name, with letters for the digits."""
        return f"{self.word}.YYYYMMDDHHMMSS"

    def prefix_of(self, day: date) -> str:
        """What the names of a day's files begin with."""
        return f"{self.prefix}{day:%Y%m%d}"

    def time(self, name: str) -> datetime:
        """The time, UTC, that a file's name tells.

        Args:
            name: The file's name, without its folder.

        Raises:
            SurveyError: The name has another form, or its digits are no date and time.
        """
        match = _TIME.fullmatch(name, len(self.prefix)) if name.startswith(self.prefix) else None
        if match is None:
            folder_hint = " (pass the name without its folder)" if "/" in name else ""
            raise SurveyError(
                f"{name!r} is not {self.owner} name{folder_hint}: call it {self.form}, "
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


SURVEYS: Final = FileKind("abalone", "a survey file's")
ANIMALS: Final = FileKind("animals", "an unaged animals file's")
"""Eight columns a line: their ages are told by the live model."""

WITHOUT_RINGS: Final = (
    f"animals whose rings nobody counted come in a file called {ANIMALS.form}: call it so, or land "
    "it with --animals, and the live model tells their ages"
)
WITH_RINGS: Final = (
    f"with counted rings it is a survey: call it {SURVEYS.form}; {ANIMALS.form} is for animals "
    "whose rings nobody counted"
)


def kind_of_file(name: str) -> FileKind:
    """What a file of this name holds; whatever is no other's is taken for a survey."""
    return ANIMALS if name.startswith(ANIMALS.prefix) else SURVEYS


def landed_day(name: str) -> date:
    """The UTC day that the name of a survey, or of a file of animals without rings, tells.

    Raises:
        SurveyError: It is the name of neither.
    """
    return kind_of_file(name).time(name).date()


def survey_time(name: str) -> datetime:
    """The time, UTC, that a survey file's name tells.

    Args:
        name: The file's name, without its folder.

    Raises:
        SurveyError: The name has another form, or its digits are no date and time.
    """
    return SURVEYS.time(name)


def survey_day(name: str) -> date:
    """The UTC day that a survey file's name tells.

    Raises:
        SurveyError: As :func:`survey_time`.
    """
    return survey_time(name).date()


def survey_file_name(time: datetime, kind: FileKind = SURVEYS) -> str:
    """The name of the file of that kind and time; fractions of a second are dropped.

    Raises:
        SurveyError: The time has no time zone.
    """
    if time.utcoffset() is None:
        raise SurveyError(f"{time} has no time zone: a survey file's name tells the UTC time")
    utc = time.astimezone(_UTC)
    return f"{kind.prefix}{utc.year:04d}{utc:%m%d%H%M%S}"
