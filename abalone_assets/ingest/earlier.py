"""What the lake holds already of days that are ingested again.

A file that is still being written, or cannot be read now, keeps what was read of it before, so that
its day's other files need not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Self

import polars as pl

from abalone_assets.ingest.frames import QUARANTINE_SCHEMA, SURVEY_SCHEMA
from abalone_assets.ingest.memory import Patience, read_memory
from abalone_assets.survey.origin import SURVEYED

if TYPE_CHECKING:
    from abalone_assets.ingest.landing_zone import LandedFile
    from abalone_assets.ingest.memory import Memory
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedFile, Manifest
    from abalone_assets.settings.platform import Settings


@dataclass(frozen=True)
class EarlierFile:
    """One file as the lake holds it: its entry, its good rows and its quarantined ones."""

    entry: IngestedFile
    rows: pl.DataFrame
    quarantined: pl.DataFrame


@dataclass(frozen=True)
class Earlier:
    """The lake before an ingestion run.

    Attributes:
        lake: The lake.
        manifest: What it holds.
        memory: What looks at the landing zone know of single files.
        patience: How long a file must rest.
    """

    lake: Lake
    manifest: Manifest
    memory: Memory
    patience: Patience

    @classmethod
    def of(cls, lake: Lake, settings: Settings) -> Self:
        """The lake as it is now."""
        patience = Patience(**settings.patience)
        return cls(lake, lake.manifest(), read_memory(lake.store), patience)

    def is_growing(self, day: str, file: LandedFile) -> bool:
        """Whether a look saw that the file is still being written, and it is not at rest since."""
        known = self._entry(day, file.name)
        return file.name in self.memory.growing and not self.memory.is_at_rest(
            file, known.e_tag if known else None, self.patience
        )

    def missing_files(self, day: str) -> list[EarlierFile]:
        """The files of a day of which a look missed some in a way that it did not believe."""
        if day not in self.memory.missing:
            return []
        files = (self.file(day, file.name) for file in self.manifest.last_files(day))
        return [file for file in files if file is not None]

    def file(self, day: str, name: str) -> EarlierFile | None:
        """What was read of a file before; None when nothing was, or the lake lost it.

        Raises:
            StorageError: The lake refuses: what it holds is not taken for lost.
        """
        entry = self._entry(day, name)
        if entry is None:
            return None
        rows = self._rows_of("new_surveys", day, name, SURVEY_SCHEMA)
        quarantined = self._rows_of("quarantined_rows", day, name, QUARANTINE_SCHEMA)
        if rows is None or quarantined is None:
            return None
        rows = rows.with_columns(pl.col("origin").fill_null(SURVEYED))  # of an older lake
        if (len(rows), len(quarantined)) != (entry.rows, entry.quarantined):
            return None
        return EarlierFile(entry, rows, quarantined)

    def _entry(self, day: str, name: str) -> IngestedFile | None:
        files = self.manifest.last_files(day)
        return next((file for file in files if file.name == name), None)

    def _rows_of(self, asset: str, day: str, name: str, schema: pl.Schema) -> pl.DataFrame | None:
        _, data = self.lake.store.read_changed(self.lake.key(asset, day), None)
        if data is None:
            return None
        try:
            stored = pl.read_parquet(BytesIO(data), hive_partitioning=False)
        except (OSError, pl.exceptions.PolarsError):
            return None
        stored = stored.filter(pl.col("source_file") == name)
        empty = pl.DataFrame(schema=schema)
        return pl.concat([empty, stored], how="diagonal_relaxed").select(schema.names())
