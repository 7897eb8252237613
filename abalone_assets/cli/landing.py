"""What `abalone land` adds to the check of survey files: their paths, and its own words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.landing import day_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from abalone_assets.ingest.landing import CheckedFile, Obstacle, ObstacleKind

_FORCED: Final[Mapping[ObstacleKind, str]] = {
    "no_survey": "ingestion will list it as no survey",
    "held": "its rows stay out until `abalone accept`",
    "future": "it waits there until that day, UTC",
}
"""What becomes of a file that is landed all the same."""


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


def refuse_obstacles(checked: Sequence[CheckedFile]) -> None:
    """Make sure that all of the files may land.

    Raises:
        SurveyError: Some may not; the message lists every one of them, with what would let it.
    """
    problems = [
        f"{file.name}: {_in_words(obstacle, file)}"
        for file in checked
        for obstacle in file.obstacles
    ]
    if problems:
        raise SurveyError(f"nothing was landed: {'; '.join(problems)}")


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
