"""The documents that a manifest is stored in: a head, and a part for the files of each month."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from abalone_assets.lake.manifest import DaySummary, IngestedDay, IngestedRaw, Manifest
from abalone_assets.storage.records import record_of

FORMAT: Final = 2
_LEFT_OUT: Final = frozenset({"writers", "run"})


@dataclass(frozen=True)
class Month:
    """A month in the head.

    Attributes:
        part: The object with the files of its days; empty while it needs none.
        days: The summary of each day. The part may list others, which do not count.
    """

    part: str
    days: dict[str, DaySummary]


@dataclass(frozen=True)
class Head:
    """The head: the base survey, and of each day what most questions ask."""

    format: int
    raw: IngestedRaw | None
    months: dict[str, Month]

    @property
    def summaries(self) -> dict[str, DaySummary]:
        """The summary of each day, in order."""
        days = {day: each for month in self.months.values() for day, each in month.days.items()}
        return dict(sorted(days.items()))


@dataclass(frozen=True)
class _Part:
    """The files of a month's days. The format is that of the head."""

    format: int
    days: dict[str, IngestedDay]


@dataclass(frozen=True)
class _WholeDocument:
    """A manifest of format 1: one document, no part of which may be missing."""

    format: int
    raw: IngestedRaw | None
    days: dict[str, IngestedDay]


def head_of(document: object, place: str, *, remedy: str) -> Head | None:
    """The head; None when this is a manifest in one document, or none yet.

    Raises:
        StorageError: It is no manifest of a known format.
    """
    if not isinstance(document, dict) or document.get("format") in (None, 1):
        return None
    return record_of(Head, document, place, remedy=remedy, version=FORMAT)


def whole_manifest(document: object, place: str, *, remedy: str) -> Manifest:
    """The manifest of a lake that has it in one document.

    Raises:
        StorageError: It is none.
    """
    whole = record_of(_WholeDocument, document, place, remedy=remedy, version=1)
    return Manifest(whole.raw, whole.days)


def part_bytes(days: Mapping[str, IngestedDay]) -> bytes:
    """The document of a month's days, as it is stored."""
    return encoded(_Part(FORMAT, dict(days)))


def part_days(document: object, place: str, *, remedy: str) -> Mapping[str, IngestedDay]:
    """The days of such a document.

    Raises:
        StorageError: It is none.
    """
    return record_of(_Part, document, place, remedy=remedy, version=FORMAT).days


def encoded(record: object) -> bytes:
    """The JSON of nested records: what `asdict` would give, without its copies of all of it."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, default=_fields).encode()


def _fields(record: object) -> dict[str, object]:
    """The fields of a record; of the many days that nobody writes, not that nobody does."""
    fields = vars(record)
    if fields.get("writers", True):
        return fields
    return {name: value for name, value in fields.items() if value or name not in _LEFT_OUT}
