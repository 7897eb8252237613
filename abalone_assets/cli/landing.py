"""Check survey files as ingestion will judge them, then land them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.landing_zone import LandedFile, LandingZone
from abalone_assets.survey import (
    ParsedSurvey,
    UnreadableSurveyError,
    parse_survey,
    survey_day,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

Change = Literal["landed", "replaced", "identical"]


@dataclass(frozen=True)
class CheckedFile:
    """A file that may land.

    Attributes:
        name: Its name in the landing zone.
        data: Its bytes.
        survey: What ingestion will make of it, or None when it can make nothing of it.
        problem: Why not, or None.
        change: What landing it does: a new file, another content, or nothing.
    """

    name: str
    data: bytes
    survey: ParsedSurvey | None
    problem: str | None
    change: Change

    def land(self, zone: LandingZone) -> None:
        """Write it atomically, unless it lies there already."""
        if self.change != "identical":
            zone.land(self.name, self.data)


class GivenFiles(LandingZone):
    """Files in memory as a landing zone, none at first: the same rules judge their names."""

    uri = "the files given"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def list_files(self, since: date | None = None) -> Iterator[LandedFile]:  # noqa: ARG002 - few
        """All of them."""
        for name, data in self.files.items():
            yield LandedFile(name, len(data), "")

    def read(self, name: str) -> bytes:
        """One file's bytes."""
        return self.files[name]

    def land(self, name: str, data: bytes) -> None:
        """Add a file, or replace it."""
        self.files[name] = data


def read_files(paths: Sequence[Path], first_day: date) -> dict[str, bytes]:
    """The files' bytes by name, when every one of them has a name that ingestion takes in.

    Args:
        paths: The files.
        first_day: The first survey day with a partition; the last one is today.

    Raises:
        SurveyError: A file cannot be read, two have one name, or a name is none of a survey day
            that is taken in; the message lists all such files.
    """
    repeated = [name for name, count in Counter(path.name for path in paths).items() if count > 1]
    if repeated:
        raise SurveyError(f"{', '.join(repeated)}: given twice; a survey day has a name only once")
    given = GivenFiles()
    for path in paths:
        given.land(path.name, _read(path))
    strays = given.look(first_day, datetime.now(UTC).date()).strays
    if strays:
        problems = "; ".join(f"{stray.file.name}: {stray.problem}" for stray in strays)
        raise SurveyError(f"nothing was landed: {problems}")
    return given.files


def check_files(
    files: Mapping[str, bytes], zone: LandingZone, *, force: bool = False
) -> Iterator[CheckedFile]:
    """Parse each file and compare it with what lies in the landing zone, in the order given.

    Args:
        files: Names, all of survey days, and bytes.
        zone: Where they shall land.
        force: Let an unreadable file, and another content under a landed name, pass.

    Raises:
        SurveyError: A file is no survey, or would replace another one, and ``force`` is not set.
    """
    first_day = min(map(survey_day, files))
    landed = {file.name: file.size for file in zone.list_files(since=first_day)}
    for name, data in files.items():
        survey, problem = _parse(name, data)
        if problem and not force:
            raise SurveyError(
                f"nothing was landed: {name}: {problem}; --force lands it all the same, and "
                "ingestion will list it as no survey"
            )
        change = _change(zone, landed.get(name), name, data)
        if change == "replaced" and not force:
            raise SurveyError(
                f"nothing was landed: {name} lies in {zone.uri} with another content; --force "
                "replaces it, and its day is ingested again"
            )
        yield CheckedFile(name, data, survey, problem, change)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SurveyError(f"{path}: cannot be read: {error.strerror}") from error


def _parse(name: str, data: bytes) -> tuple[ParsedSurvey | None, str | None]:
    try:
        return parse_survey(data, name), None
    except UnreadableSurveyError as error:
        return None, error.reason


def _change(zone: LandingZone, landed_size: int | None, name: str, data: bytes) -> Change:
    if landed_size is None:
        return "landed"
    same = landed_size == len(data) and zone.read(name) == data
    return "identical" if same else "replaced"
