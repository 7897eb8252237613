"""The lake's manifest: which content of which survey day the lake holds.

It is the truth about what has been ingested. A day is committed after its data was written and
revoked before it is written again, so a run that dies half-way leaves a day that is due, never one
that looks done.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.storage.records import record_of
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from abalone_assets.storage.object_store import ObjectStore

MANIFEST_KEY: Final = "manifest.json"
FORMAT: Final = 1


@dataclass(frozen=True)
class IngestedFile:
    """One survey file as it was when its day was ingested.

    Attributes:
        name: The file's name in the landing zone.
        size: Bytes.
        e_tag: The landing zone's token of this write; equal tokens mean equal bytes.
        sha256: Digest of the bytes that were parsed.
        rows: Rows that obey the survey contract.
        quarantined: Rows that do not.
        problem: Why the whole file is no survey, or None.
        origin: Whether it was surveyed or simulated.
        notes: What was read as it was meant, and what is odd about the file, a sentence each.
        held: Why the whole file is held: its good rows stay out until a person accepts it, or it
            lands again, corrected; None when it is not.
        held_rows: Rows that would be ``rows`` if the file were not held.
        odd_animals: Of ``rows`` and ``held_rows``, those whose measurements do not go together.
    """

    name: str
    size: int
    e_tag: str
    sha256: str
    rows: int
    quarantined: int
    problem: str | None = None
    origin: str = SURVEYED
    notes: tuple[str, ...] = ()
    held: str | None = None
    held_rows: int = 0
    odd_animals: int = 0


@dataclass(frozen=True)
class IngestedDay:
    """One survey day in the lake; its ``digest`` is empty while it is being written.

    ``judged_by`` tells against which profile its files were judged; empty in a manifest of before.
    """

    digest: str
    files: tuple[IngestedFile, ...] = ()
    judged_by: str = ""

    @property
    def rows(self) -> int:
        """Rows in ``new_surveys`` of this day."""
        return sum(file.rows for file in self.files)

    @property
    def quarantined(self) -> int:
        """Rows in ``quarantined_rows`` of this day."""
        return sum(file.quarantined for file in self.files)

    @property
    def held_rows(self) -> int:
        """Rows of this day's held files: neither in ``new_surveys`` nor quarantined."""
        return sum(file.held_rows for file in self.files)

    @property
    def held_files(self) -> dict[str, str]:
        """This day's held files, and why."""
        return {file.name: file.held for file in self.files if file.held}

    @property
    def synthetic_rows(self) -> int:
        """Simulated rows in ``new_surveys`` of this day."""
        return sum(file.rows for file in self.files if file.origin == SYNTHETIC)


BEING_WRITTEN: Final = IngestedDay("")


@dataclass(frozen=True)
class IngestedRaw:
    """The base survey in the lake.

    Attributes:
        digest: SHA-256 of its file.
        uri: Where it was asked for.
        simulated: Whether the bundled survey stands in for it, because the network refused.
        rows: Rows that obey the survey contract.
        quarantined: Rows that do not.
        origin: Whether its file was surveyed or simulated: the bundled survey counts as surveyed.
    """

    digest: str
    uri: str
    simulated: bool
    rows: int
    quarantined: int
    origin: str = SURVEYED


@dataclass(frozen=True)
class Manifest:
    """All that the lake has ingested: the base survey and the survey days, by ISO date."""

    raw: IngestedRaw | None = None
    days: Mapping[str, IngestedDay] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Digest of everything a release is made from; files without a good row do not count."""
        surveys = [
            (day, day_digest(file for file in self.days[day].files if file.rows))
            for day in self.days_with_rows
        ]
        raw = _content(self.raw.origin, self.raw.digest) if self.raw else [None]
        return _sha256([*raw, surveys])

    @property
    def rows(self) -> int:
        """Rows that the base survey and all survey days hold together."""
        return (self.raw.rows if self.raw else 0) + sum(day.rows for day in self.days.values())

    def rows_of(self, day: str) -> int:
        """Rows of one survey day; none when it was never ingested."""
        return self.days[day].rows if day in self.days else 0

    @property
    def days_with_rows(self) -> list[str]:
        """The days, in order, that add rows to ``merged_dataset``."""
        return [day for day, entry in sorted(self.days.items()) if entry.rows]

    def to_document(self) -> dict[str, Any]:
        """The manifest as a JSON document."""
        return {
            "format": FORMAT,
            "raw": asdict(self.raw) if self.raw else None,
            "days": {day: asdict(entry) for day, entry in sorted(self.days.items())},
        }

    @classmethod
    def from_document(cls, document: dict[str, Any] | None) -> Manifest:
        """Read a manifest's document; None is an empty lake.

        Raises:
            StorageError: The document is not a manifest of this format.
        """
        if document is None:
            return cls()
        remedy = "delete it to ingest all surveys again"
        found = record_of(_Document, document, MANIFEST_KEY, remedy=remedy, version=FORMAT)
        return cls(found.raw, found.days)


@dataclass(frozen=True)
class _Document:
    """A manifest as it is stored: no part of it may be missing."""

    format: int
    raw: IngestedRaw | None
    days: dict[str, IngestedDay]


def day_digest(files: Iterable[IngestedFile]) -> str:
    """Digest of a day's content: the (name, size, SHA-256) of its files, in order of name.

    A simulated file's origin counts too, so that a day ingested again because one of its files
    turned out to be a simulation is another content, and is released as such.
    """
    return _sha256(
        sorted(_content(file.origin, file.name, file.size, file.sha256) for file in files)
    )


def _content(origin: str, *identity: str | int) -> list[str | int]:
    return [*identity, *([SYNTHETIC] if origin == SYNTHETIC else [])]


def read_manifest(store: ObjectStore) -> Manifest:
    """The manifest as it is now; an empty one when the lake is new."""
    return Manifest.from_document(store.read_json(MANIFEST_KEY))


def commit_days(
    store: ObjectStore,
    days: Mapping[str, IngestedDay],
    *,
    valid: Callable[[Manifest], bool] = lambda _: True,
) -> None:
    """Record that the lake now holds this content of these days.

    Unless it is valid beside what the manifest says now, the days stay revoked, and so due.
    """

    def change(document: dict[str, Any] | None) -> dict[str, Any]:
        manifest = Manifest.from_document(document)
        committed = days if valid(manifest) else dict.fromkeys(days, BEING_WRITTEN)
        return replace(manifest, days={**manifest.days, **committed}).to_document()

    store.update_json(MANIFEST_KEY, change)


def revoke_days(store: ObjectStore, days: Iterable[str]) -> None:
    """Record that these days are being written: until their commit they are due, and hold nothing.

    A release in the meantime leaves them out rather than read what may be half of a day.
    """
    commit_days(store, dict.fromkeys(days, BEING_WRITTEN))


def commit_raw(
    store: ObjectStore,
    raw: IngestedRaw | None,
    *,
    judge_again: Callable[[Manifest], Mapping[str, IngestedDay]] = lambda _: {},
) -> None:
    """Record that the lake now holds this base survey; None while it is being written.

    Together with it, the days that are other ones now that their files are judged against it.
    """

    def change(document: dict[str, Any] | None) -> dict[str, Any]:
        manifest = Manifest.from_document(document)
        days = {**manifest.days, **judge_again(manifest)}
        return replace(manifest, raw=raw, days=days).to_document()

    store.update_json(MANIFEST_KEY, change)


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
