"""The ledger of accepted survey files: those that look off as a whole, and a person says are right.

A file is accepted by the SHA-256 of its bytes: under whatever name it lands, and however often the
lake is made again, but in no other version of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.file_ledger import FileLedger, LedgerDocument, now
from abalone_assets.lake.manifest_store import read_manifest, revoke_days
from abalone_assets.survey import survey_day

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from abalone_assets.lake.manifest import IngestedDay, IngestedFile
    from abalone_assets.storage.object_store import ObjectStore

LEDGER_KEY: Final = "new_surveys/_accepted_files.json"


LISTED: Final = 5
"""Held files that a message names."""


class NotHeldError(SurveyError):
    """No file of a name is held, and nobody has accepted or refused one: there is nothing to say.

    Args:
        name: The name.
        held: Those that are held.
    """

    def __init__(self, name: str, held: Collection[str]) -> None:
        more = f" and {len(held) - LISTED} more" if len(held) > LISTED else ""
        self.held = f"{', '.join(list(held)[:LISTED])}{more}" if held else "none is"
        super().__init__(f"{name}: no such file is held (held: {self.held})")


@dataclass(frozen=True)
class AcceptedFile:
    """One survey file that a person accepted.

    Attributes:
        name: Its name then.
        held: Why it was held.
        because: Why it is right all the same.
        by: Who says so.
        at: ISO time, UTC.
    """

    name: str
    held: str
    because: str
    by: str
    at: str = field(default_factory=now)


_LEDGER: Final = FileLedger(
    LEDGER_KEY, LedgerDocument[AcceptedFile], "accepted files would be held again"
)


def accept_file(store: ObjectStore, name: str, *, because: str, by: str) -> AcceptedFile:
    """Accept a held file of this name: its day becomes due, and no rule on whole files judges it.

    Args:
        store: Of the lake.
        name: The file's name in the landing zone.
        because: Why the file is right.
        by: Who says so.

    Returns:
        The ledger's entry; that of the first time when it had been accepted before.

    Raises:
        NotHeldError: No file of that name is held; the message names those that are.
        SurveyError: It was accepted before and is held no more, or it was refused.
        StorageError: The ledger or the manifest is damaged, or the store refuses.
    """
    held = {file.name: file for file in held_files(store)}
    if name not in held:
        raise _not_held(store, name, held)
    file = held[name]
    _LEDGER.record(store, file.sha256, AcceptedFile(name, str(file.held), because, by))
    _ingest_again(store, survey_day(name).isoformat())
    return accepted_files(store)[file.sha256]


def accepted_files(store: ObjectStore) -> Mapping[str, AcceptedFile]:
    """Every accepted survey file, by the SHA-256 of its bytes.

    Raises:
        StorageError: The ledger is damaged, or the store refuses.
    """
    return _LEDGER.files(store)


def held_files(store: ObjectStore) -> list[IngestedFile]:
    """The files that are held now, in the order of their days."""
    days = sorted(_days_with_held_files(store).items())
    return [file for _, day in days for file in day.files if file.held]


def _ingest_again(store: ObjectStore, named: str) -> None:
    """Revoke the days that hold a file back which is accepted; they are due then.

    So is the day of its name, if a run is writing it, which may have begun before.
    """
    accepted, manifest = accepted_files(store), read_manifest(store)
    days = _days_with_held_files(store).items()
    waiting = {day for day, entry in days if _holds_any_of(entry, accepted)}
    if named in manifest.summaries and manifest.summaries[named].writers:
        waiting.add(named)
    if waiting:
        revoke_days(store, sorted(waiting))


def _days_with_held_files(store: ObjectStore) -> dict[str, IngestedDay]:
    manifest = read_manifest(store)
    return {day: manifest.days[day] for day, each in manifest.summaries.items() if each.held}


def _holds_any_of(day: IngestedDay, accepted: Mapping[str, AcceptedFile]) -> bool:
    return any(file.held and file.sha256 in accepted for file in day.files)


def _refusal(store: ObjectStore, name: str) -> str | None:
    """Why a file of this name was refused, if it was."""
    try:
        day = survey_day(name).isoformat()
    except SurveyError:
        return None
    entry = read_manifest(store).days.get(day)
    files = entry.files if entry else ()
    return next((file.problem for file in files if file.name == name and file.is_refused), None)


def _not_held(store: ObjectStore, name: str, held: Mapping[str, IngestedFile]) -> SurveyError:
    before = next((each for each in accepted_files(store).values() if each.name == name), None)
    if before:
        return SurveyError(f"{name}: not held; {before.by} accepted it at {before.at}")
    if problem := _refusal(store, name):
        return SurveyError(
            f"{name}: refused, not held: {problem}. Nothing of a refused file can be read as a "
            "survey, so there is nothing to accept; mend it and land it again"
        )
    return NotHeldError(name, held)
