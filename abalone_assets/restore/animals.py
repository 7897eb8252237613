"""What the records tell of animals without rings: what was taken in, and what was aged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.defs.ageing.checks import animals_files_are_readable
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.names import AGED_ANIMALS, QUARANTINED_ANIMALS, UNAGED_ANIMALS
from abalone_assets.restore.told import Checked, Materialized, Told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from abalone_assets.lake.lake import Lake


def animals_told(lake: Lake) -> Iterator[Told]:
    """Materializations and checks of the intake and of the ageing.

    Raises:
        StorageError: The lake refuses, or a record is damaged.
    """
    animals = Animals(lake)
    manifest = animals.manifest()
    last: datetime | None = None
    counts: dict[str, dict[str, dict[str, Any]]] = {
        UNAGED_ANIMALS: {},
        QUARANTINED_ANIMALS: {},
        AGED_ANIMALS: {
            day: {
                "dagster/row_count": each.rows,
                "doubtful": each.doubtful,
                "model_versions": ", ".join(map(str, each.versions)) or "none",
            }
            for day, each in animals.aged().items()
        },
    }
    for day, summary in manifest.summaries.items():
        if not summary.being_written:
            shared = {"digest": manifest.days[day].digest, "file_count": summary.files}
            counts[UNAGED_ANIMALS][day] = {"dagster/row_count": summary.rows, **shared}
            counts[QUARANTINED_ANIMALS][day] = {"dagster/row_count": summary.quarantined, **shared}
    for asset, days in counts.items():
        written = {stored.key: stored.last_modified for stored in lake.store.list(f"{asset}/")}
        for day, told in sorted(days.items()):
            at = written.get(lake.key(asset, day))
            if at is None:
                continue  # lost: the sensor has it made again
            uri = dg.MetadataValue.path(lake.uri(asset, day))
            yield Materialized(asset, at, f"{asset} {day}", day, {**told, "dagster/uri": uri})
            if asset == UNAGED_ANIMALS:
                last = max(last or at, at)
    if last is not None:
        result = animals_files_are_readable(manifest)
        name, source = str(result.check_name), "manifest of animals"
        yield Checked(
            UNAGED_ANIMALS, name, last, source, result.passed, result.metadata, result.severity
        )
