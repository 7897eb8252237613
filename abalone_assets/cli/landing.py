"""What `abalone land` adds to the check of survey files: their paths, and its own words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.landing import day_of
from abalone_assets.survey import Reading, parse_survey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from abalone_assets.ingest.landing import CheckedFile, Obstacle, ObstacleKind
    from abalone_assets.survey import QuarantinedRow

MARKED: Final = ".marked.csv"
"""Ending of what the page of a survey gives to download: the file with its bad rows marked."""

SHOWN: Final = 5
"""Rows that are still bad that an error names."""

_FORCED: Final[Mapping[ObstacleKind, str]] = {
    "no_survey": "ingestion will list it as no survey",
    "held": "its rows stay out until `abalone accept`",
    "future": "it waits there until that day, UTC",
}
"""What becomes of a file that is landed all the same."""


@dataclass(frozen=True)
class Given:
    """Files by the names that they will have in the landing zone.

    Attributes:
        contents: Their bytes.
        paths: What they were read from.
        marked: Those that are a landed file with its bad rows marked, mended since.
    """

    contents: dict[str, bytes]
    paths: dict[str, Path]
    marked: frozenset[str] = frozenset()

    def named(self, name: str) -> str:
        """A file as the user knows it: by its path, and the name that it will have."""
        path = self.paths[name]
        return str(path) if path.name == name else f"{path} (as {name})"

    def renamed(self, name_of: Callable[[str], str]) -> Given:
        """The files under other names, by the function from the names that they have.

        Raises:
            SurveyError: Two would have one name.
        """
        names = {name: name_of(name) for name in self.contents}
        _refuse_repeated(list(names.values()))
        return Given(
            {names[name]: content for name, content in self.contents.items()},
            {names[name]: path for name, path in self.paths.items()},
            frozenset(names[name] for name in self.marked),
        )


def read_files(paths: Sequence[Path]) -> Given:
    """The files, read; one with its bad rows marked is the file of which these rows are.

    Raises:
        SurveyError: A file cannot be read, or two have one name.
    """
    names = [_survey_of(path) for path in paths]
    _refuse_repeated(names)
    contents = {}
    for name, path in zip(names, paths, strict=True):
        try:
            contents[name] = path.read_bytes()
        except OSError as error:
            raise SurveyError(f"{path}: cannot be read: {error.strerror}") from error
    by_name = dict(zip(names, paths, strict=True))
    marked = frozenset(name for name, path in by_name.items() if path.name != name)
    return Given(contents, by_name, marked)


def _refuse_repeated(names: Sequence[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise SurveyError(f"{', '.join(repeated)}: given twice; a survey day has a name only once")


def _survey_of(path: Path) -> str:
    """The name of the survey; a download with marks is called after its survey."""
    name = path.name.removesuffix(MARKED)
    return name if day_of(name) else path.name


def refuse_obstacles(checked: Sequence[CheckedFile], given: Given, *, force: bool) -> None:
    """Make sure that all of the files may land.

    A file with marks replaces the landed one, as it is meant to; but not while rows of it are bad.

    Raises:
        SurveyError: Some may not; the message lists every one of them, with what would let it.
    """
    problems = [
        f"{given.named(file.name)}: {_in_words(obstacle, file)}"
        for file in checked
        for obstacle in file.obstacles
        if obstacle.kind != "replaced" or file.name not in given.marked
    ]
    problems += [
        f"{given.named(file.name)}: {_still_bad(file.read.bad_rows)}"
        for file in checked
        if file.name in given.marked and file.survey and file.read.bad_rows and not force
    ]
    if problems:
        raise SurveyError(f"nothing was landed: {'; '.join(problems)}")


def _still_bad(rows: Sequence[QuarantinedRow]) -> str:
    shown = ", ".join(f"line {row.line} ({row.message})" for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return (
        f"rows are still bad: {shown}{more}; mend them or take them out (--force lands it all the "
        "same; ingestion quarantines them)"
    )


def landed_lines(file: CheckedFile) -> dict[int, int]:
    """The line that each bad row will have in the landing zone, by its line in the given file.

    Empty where the file lands as it was given: then they are the same.
    """
    if not file.converted or file.survey is None:
        return {}
    canonical = Reading(rings=file.read.reading.rings)
    there = parse_survey(file.read.data, file.name, reading=canonical).quarantined
    here = file.survey.quarantined
    if len(there) != len(here):
        return {}
    return {before.line: after.line for before, after in zip(here, there, strict=True)}


def doubt_of(file: CheckedFile) -> str:
    """Why the rows of a file are not to be trusted, and the option that would read them."""
    units = file.read.doubted_units
    return f"{file.read.doubt}: say --units {units.name}" if units else str(file.read.doubt)


def _in_words(obstacle: Obstacle, file: CheckedFile) -> str:
    reason = obstacle.reason
    match obstacle.kind:
        case "name":
            hint = "" if day_of(file.name) else ", or land it with --date and that time"
            return f"{reason}{hint}"
        case "replaced":
            return f"{reason} (--force replaces it; its day is ingested again)"
        case "doubt":
            reason = doubt_of(file)
        case "held":
            reason += "; correct it, or tell its --units or --columns"
    forced = _FORCED.get(obstacle.kind)
    return f"{reason} (--force lands it all the same{f'; {forced}' if forced else ''})"
