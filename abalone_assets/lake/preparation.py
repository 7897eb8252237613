"""The record of what ``merged_dataset`` and its splits were made from."""

from __future__ import annotations

from collections.abc import Mapping  # `record_of` reads the annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from abalone_assets.lake.manifest import Manifest

PREPARATION_KEY: Final = "merged_dataset/_preparation.json"


@dataclass(frozen=True)
class Written:
    """An object as a preparation wrote it.

    Attributes:
        e_tag: The store's token of that write.
        sha256: Of its bytes; empty where the engine, elsewhere, does not tell.
    """

    e_tag: str
    sha256: str = ""


@dataclass(frozen=True)
class Preparation:
    """What ``merged_dataset`` was made from.

    Attributes:
        digest: The manifest's digest.
        rows_ingested: Rows that the manifest lists.
        rows_in: Rows that the preparation read.
        repeats: Rows that it removed as exact repeats.
        days: Survey days with rows; None in a record of before these were kept, like their ends.
        first_day: The first of them, an ISO date; None when there is none.
        last_day: The last.
        engine: Name and version of what prepared; empty in a record of before.
        splits: Its splits as they were written, by name; none in a record of before.
    """

    digest: str
    rows_ingested: int
    rows_in: int
    repeats: int
    days: int | None = None
    first_day: str | None = None
    last_day: str | None = None
    engine: str = ""
    splits: Mapping[str, Written] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        *,
        rows_in: int,
        repeats: int,
        engine: str = "",
        splits: Mapping[str, Written] | None = None,
    ) -> Self:
        """What was made from a manifest."""
        days = manifest.days_with_rows
        first, last = (days[0], days[-1]) if days else (None, None)
        counted = (manifest.digest, manifest.rows, rows_in, repeats, len(days), first, last)
        return cls(*counted, engine, splits or {})

    @property
    def data(self) -> dict[str, int | str | None]:
        """What a version tells of the data that it was made from."""
        return {
            "rows": self.rows_ingested,
            "days": self.days,
            "first_day": self.first_day,
            "last_day": self.last_day,
        }
