"""The matters of survey files: those that need somebody, and the landing zone that they lie in."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from abalone_assets.alerts.matters import Matter, Situation
from abalone_assets.errors import AbaloneError
from abalone_assets.ingest.memory import MEMORY_KEYS, read_memory
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.manifest import StoredDays, month_of
from abalone_assets.survey import ANIMALS, SURVEYS, kind_of_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedFile, Manifest
    from abalone_assets.settings.platform import Settings
    from abalone_assets.survey import FileKind

RECENT: Final = timedelta(days=366)
"""Bad rows of older survey days are history: who ingests such days looks at what becomes of them.

What was refused or is held waits for somebody however old it is.
"""

FILES_OF_A_DAY: Final = 5
"""Files of a day that are told of one by one. Of others there is a number, or a folder of spoilt
files makes messages, and a record of what was told, that nobody can read."""

LANDING_ZONE: Final = "landing_zone"
MISSING: Final = "landing_zone:missing"
_MISSING: Final = {
    SURVEYS: ("Survey files", "survey days", "abalone forget"),
    ANIMALS: ("Files of animals without rings", "days", "abalone forget --animals"),
}
"""What files are called, what their days are, and how a person lets go of them."""

MISSES: Final = 2
"""Looks, one after another, that find the landing zone gone before somebody is told."""

REMEMBERED_MONTHS: Final = 600
"""Months of which a process remembers the files with something amiss: fifty years."""

_Amiss = tuple[tuple[str, "IngestedFile"], ...]
_remembered: Final[dict[tuple[str, ...], _Amiss]] = {}


def file_situation(manifest: Manifest, share: float) -> Situation:
    """The files that need somebody, the first of a day each a matter of its own.

    Args:
        manifest: What the lake holds of surveys, or of animals without rings.
        share: Of a file's rows, above which bad ones are a matter.

    Raises:
        StorageError: A part of the manifest cannot be read.
    """
    first = (datetime.now(UTC).date() - RECENT).isoformat()
    matters: dict[tuple[FileKind, str], list[Matter]] = {}
    undecided = set()
    for day, file in _amiss(manifest):
        matter = _matter_of(file, share)
        if matter is None:
            continue
        if day < first and not (file.problem or file.held):
            undecided.add(matter.key)  # it grew old: that alone ends no matter
        else:
            matters.setdefault((kind_of_file(file.name), day), []).append(matter)
    shown = (each for (kind, day), found in matters.items() for each in _of_a_day(kind, day, found))
    return Situation(tuple(shown), frozenset(undecided))


def _of_a_day(kind: FileKind, day: str, matters: Sequence[Matter]) -> Iterator[Matter]:
    yield from matters[:FILES_OF_A_DAY]
    more = matters[FILES_OF_A_DAY:]
    if not more:
        return
    files = "file" if len(more) == 1 else "files"
    of_animals = "" if kind is SURVEYS else " of animals without rings"
    what = f"{len(more)} more {files}{of_animals} of {day}"
    which = hashlib.sha256("\n".join(each.instance for each in more).encode()).hexdigest()[:16]
    yield Matter(
        f"files:{day}" if kind is SURVEYS else f"files:{kind.word}:{day}",
        f"{what} need somebody",
        f"{what} need somebody, such as {more[0].title}: `abalone status {day}` has all.",
        which,
    )


def _amiss(manifest: Manifest) -> Iterator[tuple[str, IngestedFile]]:
    """The files with something amiss, each with its day.

    What a month's part says never changes, so it is read once: a tick must not read ten years.
    """
    months: dict[str, list[str]] = {}
    for day, summary in manifest.summaries.items():
        if summary.quarantined or summary.remarks:
            months.setdefault(month_of(day), []).append(day)
    parts = manifest.days.parts if isinstance(manifest.days, StoredDays) else {}
    for month, days in months.items():
        key = (parts[month], *days) if month in parts else None
        if key is None or key not in _remembered:
            read = (
                (day, file)
                for day in days
                for file in sorted(manifest.days[day].files, key=lambda file: file.name)
            )
            found = tuple(
                (day, file) for day, file in read if file.problem or file.held or file.quarantined
            )
            if key is not None:
                if len(_remembered) >= REMEMBERED_MONTHS:
                    _remembered.clear()
                _remembered[key] = found
        else:
            found = _remembered[key]
        yield from found


def _matter_of(file: IngestedFile, share: float) -> Matter | None:
    lines = file.rows + file.held_rows + file.quarantined
    if file.is_out_of_reach:
        what = "cannot be read now"
        text = f"{file.problem}. {_kept(file)} Mend its permissions, or the disk that it lies on."
    elif file.problem:
        what = "is no survey" if kind_of_file(file.name) is SURVEYS else "cannot be aged"
        text = f"{file.problem}. Land it again, mended."
    elif file.held:
        what = "is held"
        text = (
            f"{file.held}. Land it again, mended, or say that it is right: "
            f'`abalone accept {file.name} --because "…"`.'
        )
    elif file.quarantined > share * lines:
        what = f"lost {file.quarantined} of {lines} rows"
        text = f"{100 * file.quarantined / lines:.0f} % of its rows break the survey contract."
    else:
        return None
    return Matter(f"file:{file.name}", f"{file.name} {what}", f"{file.name} {what}: {text}",
                  f"{file.sha256[:12]} {what}")  # fmt: skip


def _kept(file: IngestedFile) -> str:
    if file.rows + file.held_rows + file.quarantined:
        return "What was read of it before counts until then."
    return "Nothing was read of it yet."


def zone_situation(settings: Settings, lake: Lake, misses: int) -> tuple[Situation, int]:
    """Whether the landing zone is there with its files, and the looks in a row that found it gone.

    A share that is not mounted is a folder that is gone, or an empty one: then files of many days
    are missing at once, which the looks at it do not believe.

    Args:
        settings: The settings in force.
        lake: It knows which days are missing.
        misses: The looks before this one.
    """
    missing = [*_missing_days(lake, SURVEYS), *_missing_days(lake, ANIMALS)]
    problem = _zone_problem(settings)
    if problem is None:
        return Situation(tuple(missing)), 0
    misses += 1
    if misses < MISSES:
        return Situation(tuple(missing), frozenset({LANDING_ZONE})), misses
    text = (
        f"The landing zone cannot be read, so no survey is taken in: {problem}. Is it mounted, and "
        "may the platform read it? The lake keeps its rows."
    )
    gone = Matter(LANDING_ZONE, "the landing zone cannot be read", text)
    return Situation((*missing, gone)), misses


def _zone_problem(settings: Settings) -> str | None:
    try:
        next(iter(open_landing_zone(settings.landing_zone_uri).list_names()), None)
    except AbaloneError as error:
        return str(error)
    return None


def _missing_days(lake: Lake, kind: FileKind) -> Iterator[Matter]:
    """The days whose files are gone in a way that is not believed, as looks found them last."""
    days = read_memory(lake.store, MEMORY_KEYS[kind]).missing
    if not days:
        return
    what, noun, forget = _MISSING[kind]
    which = f"{len(days)} {noun}, {days[0]} to {days[-1]}," if len(days) > 1 else days[0]
    text = (
        f"{what} of {which} are gone from the landing zone at once, as if it had gone away; the "
        "lake keeps their rows. Bring it back or, if they were deleted on purpose, say so: "
        f"`{forget} DAY…`."
    )
    key = MISSING if kind is SURVEYS else f"{MISSING}:{kind.word}"
    yield Matter(key, f"{what[0].lower()}{what[1:]} are gone from the landing zone", text)
