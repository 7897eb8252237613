"""Check survey files as ingestion will judge them, then land them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.landing_zone import partition_of
from abalone_assets.survey import (
    ParsedSurvey,
    UnreadableSurveyError,
    parse_survey,
    survey_day,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from abalone_assets.ingest.landing_zone import LandingZone

Change = Literal["landed", "replaced", "identical"]


@dataclass(frozen=True)
class CheckedFile:
    """A file that may land.

    Attributes:
        name: Its name in the landing zone.
        data: Its bytes.
        survey: What ingestion will make of it, or None when it can make nothing of it.
        problem: Why not, or None.
        waits: Whether its day is in the future: it may land, and is ingested when that day comes.
        change: What landing it does: a new file, another content, or nothing.
        obstacles: Why it may not land, and what would let it.
    """

    name: str
    data: bytes
    survey: ParsedSurvey | None
    problem: str | None
    waits: bool
    change: Change
    obstacles: tuple[str, ...] = ()

    def land(self, zone: LandingZone) -> None:
        """Write it atomically, unless it lies there already."""
        if self.change != "identical":
            zone.land(self.name, self.data)


def read_files(paths: Sequence[Path]) -> dict[str, bytes]:
    """The files' bytes by name.

    Raises:
        SurveyError: A file cannot be read, or two have one name.
    """
    repeated = [name for name, count in Counter(path.name for path in paths).items() if count > 1]
    if repeated:
        raise SurveyError(f"{', '.join(repeated)}: given twice; a survey day has a name only once")
    contents = {}
    for path in paths:
        try:
            contents[path.name] = path.read_bytes()
        except OSError as error:
            raise SurveyError(f"{path}: cannot be read: {error.strerror}") from error
    return contents


def check_files(
    files: Mapping[str, bytes], zone: LandingZone, first_day: date, *, force: bool = False
) -> Iterator[CheckedFile]:
    """Parse each file and compare it with what lies in the landing zone, in the order given.

    Forced, an unreadable file, one of a future day, and another content under a landed name pass; a
    name that ingestion never takes in, such as one of before the first day, does not.
    """
    today = datetime.now(UTC).date()
    days = [day for day in map(day_of, files) if day]
    landed = {file.name: file.size for file in zone.list_files(since=min(days))} if days else {}
    for name, data in files.items():
        survey, problem = None, None
        try:
            survey = parse_survey(data, name)
        except UnreadableSurveyError as error:
            problem = error.reason
        change = _change(zone, landed.get(name), name, data)
        day = day_of(name) or today
        file = CheckedFile(name, data, survey, problem, day > today, change)
        try:
            partition_of(name, first_day, max(today, day))
            obstacles = () if force else tuple(_forceable(file, zone))
        except SurveyError as error:
            obstacles = (str(error),)
        yield replace(file, obstacles=obstacles)


def refuse_obstacles(checked: Sequence[CheckedFile]) -> None:
    """Make sure that all of the files may land.

    Raises:
        SurveyError: Some may not; the message lists every one of them.
    """
    problems = [f"{file.name}: {problem}" for file in checked for problem in file.obstacles]
    if problems:
        raise SurveyError(f"nothing was landed: {'; '.join(problems)}")


def day_of(name: str) -> date | None:
    """The survey day that a file's name says, if it is a survey's name."""
    try:
        return survey_day(name)
    except SurveyError:
        return None


def _forceable(file: CheckedFile, zone: LandingZone) -> Iterator[str]:
    """What keeps a file from landing unless it is forced."""
    if file.problem:
        yield f"{file.problem} (--force lands it all the same; ingestion will list it as no survey)"
    if file.waits:
        yield (
            f"its day {day_of(file.name)} is in the future (--force lands it all the same; it waits"
            " there until that day, UTC)"
        )
    if file.change == "replaced":
        yield (
            f"lies in {zone.uri} with another content (--force replaces it; its day is ingested"
            " again)"
        )


def _change(zone: LandingZone, landed_size: int | None, name: str, data: bytes) -> Change:
    if landed_size is None:
        return "landed"
    same = landed_size == len(data) and zone.read(name) == data
    return "identical" if same else "replaced"
