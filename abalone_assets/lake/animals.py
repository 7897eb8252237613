"""The lake's records of animals whose rings nobody counted: what was ingested, and what was aged.

Their files have a manifest of their own beside that of the surveys, so that no release is due for
them. Which days were aged is another record: a day may wait for a model. Of each file's ages the
aged object's own footer tells which content they are of and by which model, see
`ageing.aged_days`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from abalone_assets.lake.lake import days_of_lost
from abalone_assets.lake.manifest_store import PARTS, read_manifest
from abalone_assets.lake.names import AGED_ANIMALS, QUARANTINED_ANIMALS, UNAGED_ANIMALS
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import Manifest

RECORDS: Final = "_animals"
AGED_KEY: Final = f"{AGED_ANIMALS}/_days.json"


@dataclass(frozen=True)
class AgedDay:
    """A day whose animals were aged.

    Attributes:
        digest: Of the day's good content then, as `DaySummary.content`; empty when it had none.
        rows: Animals.
        doubtful: Of these, those whose age is not to be trusted.
        versions: The model versions that told the ages, in order.
    """

    digest: str
    rows: int = 0
    doubtful: int = 0
    versions: tuple[int, ...] = ()


@dataclass(frozen=True)
class _AgedDays:
    days: dict[str, AgedDay] = field(default_factory=dict)


class Animals:
    """What a lake holds of animals whose rings nobody counted.

    Attributes:
        lake: The lake.
        store: Its store.
        records: The store of these animals' own manifest.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.store = lake.store
        self.records = ObjectStore(lake.store.uri_of(RECORDS))

    def manifest(self) -> Manifest:
        """What has been ingested, from the first survey day of the settings on.

        Raises:
            StorageError: It is damaged, or the lake refuses.
        """
        return read_manifest(self.records).since(load_settings().first_survey_day.isoformat())

    def lost_days(self, manifest: Manifest) -> list[str]:
        """The days, in order, whose rows the manifest lists but whose objects are gone.

        Raises:
            StorageError: The lake cannot be listed.
        """
        expected = [
            (self.lake.key(asset, day), [day])
            for day, summary in manifest.summaries.items()
            for asset, rows in (
                (UNAGED_ANIMALS, summary.rows),
                (QUARANTINED_ANIMALS, summary.quarantined),
            )
            if rows
        ]
        lost = days_of_lost(self.store, expected, (f"{UNAGED_ANIMALS}/", f"{QUARANTINED_ANIMALS}/"))
        parts = days_of_lost(self.records, [*manifest.days_by_part.items()], (PARTS,))
        return sorted({*lost, *parts})

    def aged(self) -> Mapping[str, AgedDay]:
        """The days that were aged, by ISO date.

        Raises:
            StorageError: The record is damaged, or the lake refuses.
        """
        document = self.store.read_json(AGED_KEY)
        place = self.store.uri_of(AGED_KEY)
        return record_of(_AgedDays, document or {}, place, remedy="delete it to age all again").days

    def record_aged(self, days: Mapping[str, AgedDay]) -> None:
        """Record that days were aged; the others stay as they are.

        Raises:
            StorageError: The lake refuses.
        """

        def change(document: dict[str, dict[str, object]] | None) -> object:
            known = (document or {}).get("days", {})
            told = {day: asdict(each) for day, each in days.items()}
            return {"days": dict(sorted({**known, **told}.items()))}

        self.store.update_json(AGED_KEY, change)

    def days_to_age(self, manifest: Manifest) -> list[str]:
        """The days, in order, whose animals have no ages, or those of another content.

        Raises:
            StorageError: The lake refuses.
        """
        aged = self.aged()
        expected = [
            (self.lake.key(AGED_ANIMALS, day), [day]) for day, each in aged.items() if each.rows
        ]
        lost = set(days_of_lost(self.store, expected, (f"{AGED_ANIMALS}/",)))
        return [
            day
            for day, summary in sorted(manifest.summaries.items())
            if not summary.being_written
            and (day in lost or summary.content != (aged[day].digest if day in aged else ""))
        ]
