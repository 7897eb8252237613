"""What has landed, and what lake and registry hold of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import read_manifest_anew
from abalone_assets.lake.names import partition_column
from abalone_assets.registry.open import open_registry
from abalone_assets.serving.pointer import read_pointer
from abalone_assets.settings.platform import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.settings.platform import Settings

INGESTED: Final = ("new_surveys", "quarantined_rows")
PREPARED: Final = ("merged_dataset", "train_split", "validation_split", "test_split")


@dataclass
class Contents:
    """One history's landing zone, lake and registry.

    Attributes:
        folder: Where all of it is, but for what is on an object store.
    """

    folder: Path

    @property
    def settings(self) -> Settings:
        return load_settings()

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_uri)

    @property
    def zone(self) -> Any:
        return open_landing_zone(self.settings.landing_zone_uri)

    @property
    def registry(self) -> ModelRegistry:
        return open_registry(self.settings)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "landing_zone").iterdir())

    @property
    def live(self) -> int | None:
        pointer = read_pointer(self.registry.store, self.settings.endpoint_name)
        return None if pointer is None else pointer.version

    def _paths(self) -> list[Path]:
        return [self.folder / "landing_zone" / name for name in self.names]

    def held(self) -> dict[str, Any]:
        """All that the lake holds, as it can be compared with another."""
        lake = self.lake
        read_manifest_anew(lake.store)
        manifest = lake.manifest()
        days = {day: manifest.days[day] for day in manifest.days if manifest.days[day].files}
        files = {
            day: sorted(
                (
                    each.name,
                    each.size,
                    each.sha256,
                    each.rows,
                    each.quarantined,
                    each.origin,
                    each.held or "",
                    each.problem or "",
                )
                for each in entry.files
            )
            for day, entry in days.items()
        }
        held: dict[str, Any] = {"digest": manifest.digest, "files": files}
        for asset in INGESTED:
            rows = {
                day: self._rows(lake.key(asset, day), partition_column(asset))
                for day in manifest.days
            }
            held[asset] = {day: each for day, each in rows.items() if each}
        for asset in PREPARED:
            held[asset] = self._rows(lake.key(asset))
        return held

    def _rows(self, key: str, but: str = "") -> list[tuple[Any, ...]]:
        from io import BytesIO

        if self.lake.store.find(key) is None:
            return []
        frame = pl.read_parquet(BytesIO(self.lake.store.read(key)), hive_partitioning=False)
        return sorted(frame.drop(but, strict=False).rows(), key=repr)
