"""What a home's sensors have still to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abalone_assets.settings.platform import Settings


def days_due(settings: Settings) -> int:
    """How many survey days have files that differ from what the lake holds of them."""
    from datetime import UTC, datetime

    from abalone_assets.ingest.memory import read_memory
    from abalone_assets.ingest.open import open_landing_zone
    from abalone_assets.ingest.reconcile import find_due
    from abalone_assets.lake.lake import Lake

    lake, zone = Lake(settings.lake_uri), open_landing_zone(settings.landing_zone_uri)
    landing = zone.scan(settings.first_survey_day, datetime.now(UTC).date())
    return len(find_due(landing, lake.manifest(), zone.read, memory=read_memory(lake.store)).days)


def is_settled(settings: Settings) -> bool:
    """Whether everything that landed is ingested and released."""
    from abalone_assets.lake.lake import Lake

    return not Lake(settings.lake_uri).release_due() and not days_due(settings)
