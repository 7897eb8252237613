"""What the manifest tells: the base survey, and every survey day with its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from abalone_assets.defs.ingestion.checks import (
    few_rows_are_quarantined,
    files_are_plausible,
    files_are_surveys,
)
from abalone_assets.defs.ingestion.surveys import SHOWN_DAYS
from abalone_assets.defs.metadata import files_table
from abalone_assets.restore.told import Checked, Materialized, Told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedDay, Manifest

DAILY: Final = ("new_surveys", "quarantined_rows")


def surveys_told(lake: Lake) -> Iterator[Told]:
    """Materializations and checks of the ingestion.

    Raises:
        StorageError: The lake refuses, or its manifest is damaged.
    """
    manifest = lake.manifest()
    yield from _base_survey(lake, manifest)
    written = {
        asset: {stored.key: stored.last_modified for stored in lake.store.list(f"{asset}/")}
        for asset in DAILY
    }
    last: datetime | None = None
    for day in sorted(manifest.days):
        entry = manifest.days[day]
        if not entry.digest:
            continue  # a run writes it, or died while it did
        for asset in DAILY:
            at = written[asset].get(lake.key(asset, day))
            if at is None:
                continue  # lost: the sensor has it ingested again
            metadata = _of_day(asset, entry, shows_files=len(manifest.days) <= SHOWN_DAYS)
            uri = dg.MetadataValue.path(lake.uri(asset, day))
            yield Materialized(asset, at, f"manifest {day}", day, {**metadata, "dagster/uri": uri})
            last = max(last or at, at)
    if last is not None:
        yield from _checks(manifest, last)


def _base_survey(lake: Lake, manifest: Manifest) -> Iterator[Told]:
    raw, stored = manifest.raw, lake.store.find(lake.key("raw_abalone"))
    if raw is None or stored is None:
        return
    yield Materialized(
        "raw_abalone",
        stored.last_modified,
        "manifest",
        metadata={
            "dagster/row_count": raw.rows,
            "quarantined": raw.quarantined,
            "source": dg.MetadataValue.url(raw.uri),
            "simulated": raw.simulated,
            "origin": raw.origin,
            "dagster/uri": dg.MetadataValue.path(lake.uri("raw_abalone")),
        },
        data_version=raw.digest,
    )


def _of_day(asset: str, entry: IngestedDay, *, shows_files: bool) -> dict[str, Any]:
    """What the ingestion shows of a day, but for the preview of its rows."""
    rows = entry.rows if asset == "new_surveys" else entry.quarantined
    told: dict[str, Any] = {"dagster/row_count": rows, "digest": entry.digest}
    if asset == "new_surveys":
        told |= {"synthetic_rows": entry.synthetic_rows, "held_rows": entry.held_rows}
    if shows_files or entry.remarked_files or entry.quarantined:
        held = "; ".join(f"{name}: {reason}" for name, reason in entry.held_files.items())
        return {**told, "files": files_table(entry.files), "held": held or None}
    return {**told, "file_count": len(entry.files)}


def _checks(manifest: Manifest, at: datetime) -> Iterator[Told]:
    """Those that the manifest alone decides; the others are made again by the next ingestion."""
    remarked = [
        file
        for day in sorted(day for day, each in manifest.summaries.items() if each.remarks)
        for file in manifest.days[day].remarked_files
    ]
    files = sum(summary.files for summary in manifest.summaries.values())
    for result in (
        files_are_surveys(files, remarked),
        files_are_plausible(files, remarked),
        few_rows_are_quarantined(manifest.summaries),
    ):
        assert result.asset_key is not None  # noqa: S101 - each names its asset
        asset, name = result.asset_key.to_user_string(), str(result.check_name)
        yield Checked(asset, name, at, "manifest", result.passed, result.metadata, result.severity)
