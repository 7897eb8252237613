"""Check files as ingestion will judge them, make them canonical, then land them.

They are surveys or, by their names, animals whose rings nobody counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.given_files import Options, Verdicts, read_file
from abalone_assets.ingest.partitions import partition_of
from abalone_assets.survey import kind_of_file, landed_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from abalone_assets.ingest.given_files import ReadFile
    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.survey import ParsedSurvey

Change = Literal["landed", "replaced", "identical"]
ObstacleKind = Literal["name", "no_survey", "doubt", "held", "future", "replaced"]


@dataclass(frozen=True)
class Obstacle:
    """Why a file may not land.

    Attributes:
        kind: What it is about; everything but a name may be forced.
        reason: It in a sentence.
    """

    kind: ObstacleKind
    reason: str


@dataclass(frozen=True)
class CheckedFile:
    """A file that may land.

    Attributes:
        name: Its name in the landing zone.
        given: Its bytes as they were given.
        read: How they were read, and what will land.
        waits: Whether its day is in the future: it may land, and is ingested when that day comes.
        change: What landing it does: a new file, another content, or nothing.
        held: Why ingestion will hold it, or None when it will not.
        obstacles: Why it may not land.
    """

    name: str
    given: bytes
    read: ReadFile
    waits: bool
    change: Change
    held: str | None = None
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def survey(self) -> ParsedSurvey | None:
        """What ingestion will make of it."""
        return self.read.survey

    @property
    def converted(self) -> bool:
        """Whether other bytes land than were given."""
        return self.read.data != self.given

    def land(self, zone: LandingZone) -> None:
        """Write it atomically, unless it lies there already.

        Raises:
            SurveyError: Another file has got its name since it was checked.
        """
        if self.change == "identical":
            return
        try:
            zone.land(self.name, self.read.data, replace=self.change == "replaced")
        except FileExistsError as error:
            raise SurveyError(
                f"{self.name}: a file of this name has landed meanwhile; check it again"
            ) from error


def check_files(
    files: Mapping[str, bytes],
    zone: LandingZone,
    first_day: date,
    *,
    force: bool = False,
    options: Options | None = None,
    verdicts: Verdicts | None = None,
) -> Iterator[CheckedFile]:
    """Parse each file and compare it with what lies in the landing zone, in the order given.

    Forced, an unreadable file, one of a future day, one whose rows are in doubt or will be held,
    and another content under a landed name pass; a name that ingestion never takes in, such as one
    of before the first day, does not.

    Args:
        files: Their bytes, by the names that they will have.
        zone: Where they shall land.
        first_day: The first partition.
        force: Whether to take what is dubious.
        options: What the user says of the files.
        verdicts: By what ingestion will judge them; those of a new lake if not given.
    """
    verdicts = verdicts or Verdicts()
    today = datetime.now(UTC).date()
    days = [day for day in map(day_of, files) if day]
    landed: dict[str, int] = {}
    for kind in {kind_of_file(name) for name in files} if days else ():
        landed.update((file.name, file.size) for file in zone.list_files(min(days), kind))
    for name, data in files.items():
        read = read_file(data, name, options or Options(), verdicts)
        change = _change(zone, landed.get(name), name, read.same)
        day = day_of(name) or today
        file = CheckedFile(name, data, read, day > today, change, _held(read, change, verdicts))
        try:
            partition_of(name, first_day, max(today, day))
            obstacles = () if force else tuple(_forceable(file, zone))
        except SurveyError as error:
            obstacles = (Obstacle("name", str(error)),)
        yield replace(file, obstacles=obstacles)


def day_of(name: str) -> date | None:
    """The day that a file's name says, if it is a survey's name or one of animals without rings."""
    try:
        return landed_day(name)
    except SurveyError:
        return None


def _forceable(file: CheckedFile, zone: LandingZone) -> Iterator[Obstacle]:
    """What keeps a file from landing unless it is forced."""
    if file.read.problem:
        yield Obstacle("no_survey", file.read.problem)
    if file.read.doubt:
        yield Obstacle("doubt", file.read.doubt)
    elif file.held and file.change != "identical":
        yield Obstacle("held", f"it would be held: {file.held}")
    if file.waits:
        yield Obstacle("future", f"its day {day_of(file.name)} is in the future")
    if file.change == "replaced":
        yield Obstacle("replaced", f"lies in {zone.uri} with another content")


def _held(read: ReadFile, change: Change, verdicts: Verdicts) -> str | None:
    """Why ingestion will hold the survey that lies there in the end, if it will."""
    return None if change == "identical" and verdicts.accepts(read.same) else read.held


def _change(zone: LandingZone, landed_size: int | None, name: str, same: Sequence[bytes]) -> Change:
    """What landing changes, if contents that are the same to ingestion are no change."""
    if landed_size is None:
        return "landed"
    of_this_size = [content for content in same if len(content) == landed_size]
    return "identical" if of_this_size and zone.read(name) in of_this_size else "replaced"
